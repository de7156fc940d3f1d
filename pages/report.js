// report.html: a comparison's tables, plots and disagreements, of evaluation/report.h's data.
'use strict';

(() => {
  const { data, element, format, section, table, plot, bars, select } = tessera;
  const { summary, counts } = data;
  const { models, pairs, classes } = summary;
  const main = document.getElementById('main');
  main.replaceChildren();

  // ---------------------------------------------------------------- names and state

  // "resnet50" for "timm/resnet50", where the short names are still distinct.
  const tails = models.map((model) => model.name.slice(model.name.lastIndexOf('/') + 1) || model.name);
  const names = new Set(tails).size === models.length ? tails : models.map((model) => model.name);
  const className = (index) => data.labels[index] || (classes.find((c) => c.index === index) || {}).label || 'class ' + index;
  const shortClass = (index) => className(index).split(',')[0];
  const key = (m) => element('span', { class: 'key series-' + m % 8, 'aria-hidden': 'true' });
  const named = (m) => element('span', { class: 'model' }, key(m), element('span', {}, models[m].name));
  const legend = () => names.map((text, series) => ({ series, text }));
  const share = (part, whole) => whole > 0 ? part / whole : null;
  const range = ([low, high], show) => low === null ? format.none : show(low) + ' to ' + show(high);
  const sum = (list) => list.reduce((a, b) => a + b, 0);
  const points = (value) => (value > 0 ? '+' : '') + format.number(100 * value, 2);

  // Wilson's score interval, as the summary's, for the pictures of one class.
  const wilson = (right, of) => {
    const z = 1.959963984540054, p = right / of, d = 1 + z * z / of;
    const half = z * Math.sqrt(p * (1 - p) / of + z * z / (4 * of * of)) / d, middle = (p + z * z / (2 * of)) / d;
    return of > 0 ? [Math.max(0, middle - half), Math.min(1, middle + half)] : [0, 1];
  };

  const { batch, overlapped, warmup, shards: parts } = summary.mode;
  const state = { place: -1, pair: 0 };  // place: of the class in `classes`, -1 for all
  const watchers = [];
  const changed = () => watchers.forEach((watcher) => watcher());
  // An element that `make` refills on each change of the class or pair.
  const live = (attributes, make) => {
    const holder = element('div', attributes);
    const fill = () => holder.replaceChildren(...[make()].flat().filter(Boolean));
    watchers.push(fill);
    fill();
    return holder;
  };
  const chosen = () => state.place < 0 ? null : classes[state.place];
  const pictures = () => state.place < 0 ? summary.pictures : chosen().pictures;
  const scope = () => state.place < 0 ? format.count(summary.pictures) + ' pictures'
    : format.count(chosen().pictures) + ' picture' + (chosen().pictures === 1 ? '' : 's') + ' of ' + chosen().label;

  const controls = () => {
    const sorted = classes.map((of, place) => ({ value: String(place), text: of.label })).sort((a, b) => a.text.localeCompare(b.text));
    const parts = [];
    if (classes.length > 1) {
      parts.push(select('Class', [{ value: '-1', text: 'all ' + format.count(classes.length) }, ...sorted], (value) => { state.place = Number(value); changed(); }));
    }
    if (pairs.length > 1) {
      parts.push(select('Models', pairs.map((pair, i) => ({ value: String(i), text: pairText(i) })), (value) => { state.pair = Number(value); changed(); }));
    }
    return parts.length === 0 ? null : element('div', { class: 'controls', role: 'group', 'aria-label': 'What is shown' }, parts,
      live({ class: 'note', role: 'status', 'aria-live': 'polite' }, () => scope()));
  };
  const pairOf = (i) => pairs[i].models.map((name, side) => {
    const found = models.findIndex((model) => model.name === name);
    // Two models of one name (with different settings) are matched by their order.
    return side === 1 && pairs[i].models[0] === name ? models.findIndex((model, m) => m > found && model.name === name) : found;
  });
  const pairText = (i) => pairOf(i).map((m) => names[m]).join(' and ');

  // ---------------------------------------------------------------- accuracy

  const accuracyBars = (top) => {
    const of = pictures();
    const right = (m) => top === 5 ? (state.place < 0 ? models[m].top5 : counts.top5[state.place][m])
      : (state.place < 0 ? models[m].top1 : chosen().correct[m]);
    const interval = (m) => state.place < 0 ? (top === 5 ? models[m].top5_interval : models[m].top1_interval) : wilson(right(m), of);
    return plot(bars({
      title: 'Top-' + top, about: 'of ' + scope() + '; lines: 95 % intervals', unit: '%', most: 115, format: (value) => value > 100 ? '' : format.count(value),
      values: state.place < 0 ? 'The same numbers are in the table above.' : table([
        { title: 'Model', text: true, value: (m) => names[m] },
        { title: 'Top-' + top, value: (m) => share(right(m), of), format: (value) => format.percent(value) },
        { title: '95 % interval', value: (m) => interval(m)[0], format: (low, m) => range(interval(m), format.percent) },
        { title: 'Right', value: right, format: format.count },
      ], models.map((model, m) => m), { caption: `Top-${top} of ${scope()}`, sortable: false }),
      rows: models.map((model, m) => {
        const [low, high] = interval(m);
        return { name: names[m], value: 100 * share(right(m), of), low: 100 * low, high: 100 * high, series: m, shown: format.percent(share(right(m), of)),
          text: `${names[m]}: top-${top} ${format.percent(share(right(m), of))}, ${format.count(right(m))} of ${format.count(of)}\n95 % interval ${range([low, high], format.percent)}` };
      }) }));
  };

  const accuracy = () => section('accuracy', 'Accuracy',
    'Share of pictures whose class is the first, or among the first five, that a model names. Intervals: Wilson, 95 %.',
    table([
      { title: 'Model', text: true, value: (m) => models[m].name, format: (name, m) => named(m) },
      { title: 'Top-1', value: (m) => models[m].top1_share, format: (value) => format.percent(value) },
      { title: '95 % interval', value: (m) => models[m].top1_interval[0], format: (low, m) => range(models[m].top1_interval, format.percent) },
      { title: 'Top-5', value: (m) => models[m].top5_share, format: (value) => format.percent(value) },
      { title: '95 % interval', value: (m) => models[m].top5_interval[0], format: (low, m) => range(models[m].top5_interval, format.percent) },
      { title: 'Right', value: (m) => models[m].top1, format: format.count },
      ...(models.some((model) => model.published) ? [{ title: 'Published top-1 (timm, whole validation set)',
        value: (m) => models[m].published ? models[m].published.top1 / 100 : null, format: (value) => value === null ? null : format.percent(value) }] : []),
    ], models.map((model, m) => m), { caption: 'Accuracy on ' + format.count(summary.pictures) + ' pictures' }),
    summary.average ? element('p', {}, 'The mean of the models’ probabilities names ' + format.percent(share(summary.average.top1, summary.pictures))
      + ' of the pictures right, and has the class among its first five for ' + format.percent(share(summary.average.top5, summary.pictures)) + '.') : null,
    live({ class: 'plots' }, () => [accuracyBars(1), accuracyBars(5)]));

  // ---------------------------------------------------------------- pairs

  const fourWays = (i) => {
    const pair = pairs[i], [a, b] = pairOf(i), of = pictures();
    const n = state.place < 0 ? [pair.both_correct, pair.first_only, pair.second_only, pair.both_wrong, pair.same_prediction] : counts.pairs[i][state.place];
    const rows = [['both right', n[0], { class: 'good' }], ['only ' + names[a] + ' right', n[1], { series: a }], ['only ' + names[b] + ' right', n[2], { series: b }],
      ['both wrong', n[3], { class: 'quiet' }], ['the same prediction, right or wrong', n[4], { class: 'quiet' }]];
    const options = bars({ title: 'Who is right', about: scope(), unit: '%', most: 120, format: (value) => value > 100 ? '' : format.count(value),
      values: 'The same numbers are in the table beside it.',
      rows: rows.map(([name, count, look]) => ({ name, value: 100 * share(count, of), shown: format.percent(share(count, of)), ...look,
        text: `${name}: ${format.count(count)} of ${format.count(of)} (${format.percent(share(count, of))})` })) });
    return [table([
      { title: 'Pictures', text: true, value: (row) => row[0] },
      { title: 'Count', value: (row) => row[1], format: format.count },
      { title: 'Share', value: (row) => share(row[1], of), format: (value) => format.percent(value) },
    ], rows, { caption: 'Agreement on ' + scope(), sortable: false }), plot(options)];
  };

  const pairFacts = (i) => {
    const pair = pairs[i], [a, b] = pairOf(i), different = summary.pictures - pair.same_prediction;
    const facts = [
      ['Difference of top-1, points', points(pair.top1_difference), 'bootstrap, 95 %: ' + range(pair.top1_difference_interval, points)],
      ['McNemar’s exact test', 'p = ' + format.probability(pair.mcnemar.p_exact), 'two-sided, from the pictures on which only one is right'],
      ...(pairs.length > 1 ? [['McNemar, adjusted', 'p = ' + format.probability(pair.mcnemar.p_adjusted), `by Holm for ${pairs.length} pairs; the verdict goes by it`]] : []),
      ['Cohen’s kappa of the predictions', format.number(pair.cohen_kappa, 4), '1: always the same class; 0: as often as chance'],
      ['Error consistency', format.number(pair.error_consistency, 4), 'kappa of being right'],
      ['The same wrong prediction', format.percent(share(pair.same_wrong_prediction, summary.pictures)), format.count(pair.same_wrong_prediction) + ' pictures'],
      ['Right where they agree', format.percent(share(pair.same_prediction - pair.same_wrong_prediction, pair.same_prediction)), 'of ' + format.count(pair.same_prediction)],
      ['Right where they differ', pair.correct_when_different.map((n) => format.percent(share(n, different))).join(' and '), names[a] + ' and ' + names[b] + ', of ' + format.count(different)],
      ['At least one right', format.percent(share(pair.either_correct, summary.pictures)), 'an oracle that chooses'],
      ['The more confident one right', format.percent(share(pair.more_confident_correct, summary.pictures)), 'always believing it'],
    ];
    if (pair.inference_time_ratio !== null) {
      facts.push(['Mean inference time, ratio', format.number(pair.inference_time_ratio, 3), names[a] + ' over ' + names[b] + (pair.inference_time_ratio_interval[0] === null ? '' : ', ') + (pair.inference_time_ratio_interval[0] === null ? '' : '95 %: ' + range(pair.inference_time_ratio_interval, (v) => format.number(v, 3)))]);
    }
    return table([
      { title: 'Statistic', text: true, value: (row) => row[0], format: (name, row) => element('span', {}, name, element('span', { class: 'remark' }, row[2])) },
      { title: 'Value', value: (row) => row[1] },
    ], facts, { caption: names[a] + ' and ' + names[b] + ', all pictures', sortable: false });
  };

  const agreement = () => section('agreement', 'Agreement',
    'Both right is not agreement: two models agree where they name the same class, right or wrong.',
    pairs.length > 1 ? table([
      { title: 'Models', text: true, value: (i) => pairText(i) },
      { title: 'Difference, points', value: (i) => pairs[i].top1_difference, format: points },
      { title: '95 % interval', value: (i) => pairs[i].top1_difference_interval[0], format: (low, i) => range(pairs[i].top1_difference_interval, points) },
      { title: 'McNemar p', value: (i) => pairs[i].mcnemar.p_exact, format: format.probability },
      { title: 'p, adjusted (Holm)', value: (i) => pairs[i].mcnemar.p_adjusted, format: format.probability },
      { title: 'Same prediction', value: (i) => share(pairs[i].same_prediction, summary.pictures), format: (value) => format.percent(value) },
      { title: 'Both right', value: (i) => share(pairs[i].both_correct, summary.pictures), format: (value) => format.percent(value) },
      { title: 'Kappa', value: (i) => pairs[i].cohen_kappa, format: (value) => format.number(value, 4) },
    ], pairs.map((pair, i) => i), { caption: 'Every two models, all pictures' }) : null,
    live({}, () => [element('p', { class: 'verdict' }, (state.place < 0 ? '' : 'Over all pictures: ') + pairs[state.pair].verdict), element('div', { class: 'plots' }, fourWays(state.pair)), pairFacts(state.pair)]));

  // ---------------------------------------------------------------- classes

  const classScatter = () => {
    const [a, b] = pairOf(state.pair);
    const places = new Map();  // classes at the same place are one point
    classes.forEach((of, place) => {
      const x = share(of.correct[a], of.pictures), y = share(of.correct[b], of.pictures), at = x.toFixed(4) + ' ' + y.toFixed(4);
      if (!places.has(at)) places.set(at, { x: 100 * x, y: 100 * y, members: [], marked: false });
      places.get(at).members.push(of.label.split(',')[0]);
      if (place === state.place) places.get(at).marked = true;
    });
    const kNamed = 6;
    const marks = [...places.values()].sort((p, q) => q.members.length - p.members.length).map((p) => ({
      shape: 'point', x: p.x, y: p.y, r: Math.min(16, 3.5 + 1.2 * Math.sqrt(p.members.length - 1)), series: p.marked ? 1 : 0, class: p.marked ? 'marked' : '',
      text: p.members.slice(0, kNamed).join(', ') + (p.members.length > kNamed ? ` and ${p.members.length - kNamed} more` : '') + `\n${names[a]} ${format.number(p.x, 1)} %, ${names[b]} ${format.number(p.y, 1)} %` }));
    return plot({ title: 'Top-1 by class', about: 'a point a class (larger: several); above the line ' + names[b] + ' is better', square: true,
      x: { label: names[a] + ', %', from: 0, to: 100, grid: true }, y: { label: names[b] + ', %', from: 0, to: 100 },
      marks: [{ shape: 'rule', x0: 0, y0: 0, x1: 100, y1: 100 }, ...marks], values: 'The same numbers are in the table of classes.' });
  };
  const classTable = () => table([
    { title: 'Class', text: true, value: (of) => of.label, format: (label) => element('span', { title: label }, label.split(',')[0]) },
    { title: 'Pictures', value: (of) => of.pictures, format: format.count },
    ...models.map((model, m) => ({ title: names[m], value: (of) => share(of.correct[m], of.pictures), format: (value) => format.percent(value, 1) })),
    ...(pairs.length === 0 ? [] : [{ title: 'Difference, points', value: (of) => share(of.correct[pairOf(state.pair)[0]] - of.correct[pairOf(state.pair)[1]], of.pictures), format: (value) => points(value) }]),
  ], classes, { caption: 'Top-1 by class', filter: 'Class contains', most: 12, sort: { column: pairs.length === 0 ? 2 : 2 + models.length, descending: pairs.length > 0 } });
  const byClass = () => section('classes', 'Classes', null,
    live({ class: 'plots' }, () => [pairs.length > 0 ? classScatter() : null, classTable()]));

  // ---------------------------------------------------------------- confidence

  const reliability = () => plot({
    title: 'Reliability', about: 'all pictures; on the dashed line confidence is what it says, below it the model is too sure', square: true, legend: legend(),
    x: { label: 'confidence, %', from: 0, to: 100, grid: true }, y: { label: 'accuracy, %', from: 0, to: 100 },
    marks: [{ shape: 'rule', x0: 0, y0: 0, x1: 100, y1: 100 }, ...models.flatMap((model, m) => {
      const filled = model.reliability.filter((bin) => bin.pictures > 0);
      return [{ shape: 'line', series: m, points: filled.map((bin) => [100 * bin.confidence, 100 * bin.accuracy]) },
        ...filled.map((bin) => ({ shape: 'point', series: m, x: 100 * bin.confidence, y: 100 * bin.accuracy, r: Math.min(9, 2.5 + 9 * Math.sqrt(bin.pictures / summary.pictures)),
          text: `${names[m]}: ${format.count(bin.pictures)} pictures\nconfidence ${format.percent(bin.confidence, 1)}, right ${format.percent(bin.accuracy, 1)}` }))];
    })],
    values: table([
      { title: 'Model', text: true, value: (row) => names[row.m] },
      { title: 'Bin', value: (row) => row.bin.low, format: (low, row) => format.number(100 * low, 0) + ' to ' + format.percent(row.bin.high, 0) },
      { title: 'Pictures', value: (row) => row.bin.pictures, format: format.count },
      { title: 'Confidence', value: (row) => row.bin.confidence, format: (value) => format.percent(value) },
      { title: 'Accuracy', value: (row) => row.bin.accuracy, format: (value) => format.percent(value) },
    ], models.flatMap((model, m) => model.reliability.filter((bin) => bin.pictures > 0).map((bin) => ({ m, bin }))), { caption: 'Reliability', sortable: false }) });

  // [right, wrong] by bin of confidence.
  const confidenceBins = (m) => {
    const bins = Array.from({ length: counts.bins }, () => [0, 0]);
    const lists = state.place < 0 ? counts.confidence[m] : [counts.confidence[m][state.place]];
    for (const list of lists) {
      for (let i = 0; i < list.length; i += 3) {
        bins[list[i]][0] += list[i + 1];
        bins[list[i]][1] += list[i + 2];
      }
    }
    return bins;
  };
  const confidencePlot = (m) => {
    const bins = confidenceBins(m), width = 100 / counts.bins, most = Math.max(1, ...bins.map(sum));
    return plot({ title: 'Confidence of ' + names[m], about: scope(), height: 220, legend: [{ series: m, text: 'right' }, { series: 7, class: 'quiet', text: 'wrong' }],
      x: { label: 'confidence, %', from: 0, to: 100 }, y: { label: 'pictures', from: 0, to: most * 1.05 },
      marks: bins.flatMap(([right, wrong], i) => right + wrong === 0 ? [] : [
        { shape: 'bar', x0: (i + 0.04) * width, x1: (i + 0.96) * width, y0: 0, y1: wrong, class: 'quiet',
          text: `${format.number(i * width, 0)} to ${format.number((i + 1) * width, 0)} %: ${format.count(wrong)} wrong, ${format.count(right)} right` },
        { shape: 'bar', x0: (i + 0.04) * width, x1: (i + 0.96) * width, y0: wrong, y1: wrong + right, series: m }]),
      values: table([
        { title: 'Confidence', text: true, value: (i) => format.number(i * width, 0) + ' to ' + format.number((i + 1) * width, 0) + ' %' },
        { title: 'Right', value: (i) => bins[i][0], format: format.count }, { title: 'Wrong', value: (i) => bins[i][1], format: format.count },
      ], bins.map((bin, i) => i).filter((i) => sum(bins[i]) > 0), { caption: 'Confidence of ' + names[m], sortable: false }) });
  };
  const confidence = () => section('confidence', 'Confidence',
    'The probability that a model gives to the class it names. Calibration error: mean distance of confidence from accuracy over 15 bins.',
    table([
      { title: 'Model', text: true, value: (m) => models[m].name, format: (name, m) => named(m) },
      { title: 'Mean confidence', value: (m) => models[m].mean_confidence, format: (value) => format.percent(value) },
      { title: 'Top-1', value: (m) => models[m].top1_share, format: (value) => format.percent(value) },
      { title: 'Calibration error', value: (m) => models[m].calibration_error, format: (value) => format.number(value, 4) },
    ], models.map((model, m) => m), { caption: 'Confidence and calibration, all pictures' }),
    element('div', { class: 'plots' }, reliability(), live({}, () => models.map((model, m) => confidencePlot(m)))));

  // ---------------------------------------------------------------- times

  const ofBatch = batch > 1 ? ` of its batch (up to ${batch})` : '';
  const stageNames = { inference: 'inference' + ofBatch, preprocess: 'preprocessing', postprocess: 'softmax and top 5',
    latency: batch > 1 ? 'latency: its preprocessing, then inference and softmax' + ofBatch : 'preprocessing, inference and softmax', read: 'reading the file', decode: 'decoding' };
  const seriesName = (series) => series.model === null ? 'all models share it' : names[series.model];
  const boxes = (stage) => plot({
    title: 'Time a picture, ' + stageNames[stage.stage], about: 'box: quartiles; whiskers: 1 % to 99 %', height: stage.series.length * 60 + 56,
    x: { label: 'ms', from: 0, to: Math.max(...stage.series.map((series) => series.high)) * 1.08, grid: true },
    y: { kind: 'bands', bands: stage.series.map(seriesName) },
    marks: stage.series.map((series, i) => ({ shape: 'box', y0: i + 0.4, y1: i + 0.85, low: series.low, quarter: series.quarter, median: series.median,
      threeQuarters: series.three_quarters, high: series.high, series: series.model || 0,
      text: `${seriesName(series)}: median ${format.ms(series.median)} ms\nhalf within ${format.ms(series.quarter)} to ${format.ms(series.three_quarters)} ms, the slowest ${format.ms(series.largest)} ms` })),
    values: table([
      { title: 'Model', text: true, value: (series) => seriesName(series) },
      { title: '1 %', value: (series) => series.low, format: format.ms }, { title: '25 %', value: (series) => series.quarter, format: format.ms },
      { title: 'Median', value: (series) => series.median, format: format.ms }, { title: '75 %', value: (series) => series.three_quarters, format: format.ms },
      { title: '99 %', value: (series) => series.high, format: format.ms }, { title: 'Most', value: (series) => series.largest, format: format.ms },
    ], stage.series, { caption: 'Quartiles, ms: ' + stageNames[stage.stage], sortable: false }) });
  const histogram = (stage, series) => {
    const most = Math.max(1, ...series.counts), outside = series.below + series.above;
    return plot({ title: seriesName(series), about: stageNames[stage.stage] + (outside > 0 ? `; ${format.count(outside)} pictures lie outside, the slowest at ${format.ms(series.largest)} ms` : ''), height: 170,
      x: { label: 'ms' + (stage.log ? ', bins of equal ratio' : ''), kind: stage.log ? 'log' : 'linear', from: stage.edges[0], to: stage.edges[stage.edges.length - 1] },
      y: { label: 'pictures', from: 0, to: most * 1.05 },
      marks: series.counts.map((count, i) => count === 0 ? null : { shape: 'bar', x0: stage.edges[i], x1: stage.edges[i + 1], y0: 0, y1: count, series: series.model || 0,
        text: `${format.ms(stage.edges[i])} to ${format.ms(stage.edges[i + 1])} ms: ${format.count(count)} picture${count === 1 ? '' : 's'}` }).filter(Boolean),
      values: table([
        { title: 'From, ms', value: (i) => stage.edges[i], format: format.ms }, { title: 'To, ms', value: (i) => stage.edges[i + 1], format: format.ms },
        { title: 'Pictures', value: (i) => series.counts[i], format: format.count },
      ], series.counts.map((count, i) => i).filter((i) => series.counts[i] > 0), { caption: seriesName(series), sortable: false }) });
  };
  const timeRows = () => [
    ...models.flatMap((model, m) => [['inference', model.batch_inference_ms], ['preprocess', model.preprocess_ms], ['postprocess', model.postprocess_ms], ['latency', model.latency_ms]]
      .map(([stage, time]) => ({ m, stage, time }))),
    { m: -1, stage: 'read', time: summary.read_ms }, { m: -1, stage: 'read and decode', time: summary.load_ms }].filter((row) => row.time.max > 0);
  const times = () => {
    const rows = timeRows();
    if (rows.length === 0) return null;
    const column = (title, field) => ({ title, value: (row) => row.time[field], format: format.ms });
    let stage = data.times[0];
    const plots = element('div', {});
    const show = () => plots.replaceChildren(boxes(stage), element('div', { class: 'plots' }, stage.series.map((series) => histogram(stage, series))));
    show();
    return section('times', 'Times',
      (summary.total_ms > 0 ? 'Milliseconds for a picture, by a monotonic clock' + (warmup > 0 ? `; a warm-up of ${warmup} run${warmup === 1 ? '' : 's'} is not in them.` : warmup === 0 ? '; there was no warm-up.' : '.')
        : 'Milliseconds for a picture, as the table of predictions has them.')
        + (batch > 1 ? ` Pictures ran in batches of up to ${batch}: the times of inference are those of the whole batch that a picture was in.` : '')
        + ((summary.machines || []).length > 1 ? ` They are of ${summary.machines.length} machines, and of none of them alone: ${summary.machines.join('; ')}.` : '')
        + (overlapped ? ' Pictures were prepared beside the models, so that stages overlap.' : ''),
      table([
        { title: 'Stage', text: true, value: (row) => row.m < 0 ? 'shared' : names[row.m], format: (text, row) => [row.m < 0 ? 'shared' : names[row.m], ': ', stageNames[row.stage] || row.stage] },
        column('Mean', 'mean'), column('Median', 'median'), column('p90', 'p90'), column('p99', 'p99'), column('Least', 'min'), column('Most', 'max'), column('First picture', 'first'),
      ], rows, { caption: 'Times, ms a picture' }),
      table([
        { title: 'Model', text: true, value: (m) => models[m].name, format: (name, m) => named(m) },
        ...(overlapped ? [{ title: 'Inference alone', value: (m) => models[m].inference_per_second, format: (value) => format.number(value, 1) }] : []),
        { title: 'Preprocess + inference', value: (m) => models[m].images_per_second, format: (value) => format.number(value, 1) },
        { title: 'Decoding counted', value: (m) => models[m].images_per_second_with_decoding, format: (value) => format.number(value, 1) },
      ], models.map((model, m) => m), { caption: 'Images per second (1000 over the mean times' + (overlapped ? ', as if nothing overlapped)' : ')') }),
      summary.total_ms > 0 ? element('p', { class: 'note' }, (parts > 0 ? `The ${parts} shards took ${format.number(summary.total_ms / 1000, 1)} s, added up,` : `The whole took ${format.number(summary.total_ms / 1000, 1)} s,`) + ' loading the models included'
        + (summary.run_images_per_second ? `; through all models ${format.number(summary.run_images_per_second.process, 1)} images a second` + (parts > 0 ? ` by a shard's process on average, ${format.number(summary.run_images_per_second.together, 1)} if the shards ran beside each other` : '') : '') + '.') : null,
      data.times.length > 1 ? select('Stage', data.times.map((of, i) => ({ value: String(i), text: stageNames[of.stage] })), (value) => { stage = data.times[Number(value)]; show(); }) : null,
      plots);
  };

  // ---------------------------------------------------------------- cost

  const cost = () => {
    const known = models.some((model) => model.parameters > 0), timed = models.every((model) => model.latency_ms.p90 > 0);
    const rate = (m) => overlapped ? models[m].inference_per_second : models[m].images_per_second;
    const positive = (value) => value > 0 ? value : null;
    const budgeted = data.budget !== '';
    return section('cost', 'Cost and worth',
      'A model is worth its cost where no other is as accurate, as fast, as small and as sparing of memory, and better in one (the Pareto front).' + (known ? '' : ' Here only accuracy and times are known.'),
      table([
        { title: 'Model', text: true, value: (m) => models[m].name, format: (name, m) => named(m) },
        { title: 'Top-1', value: (m) => models[m].top1_share, format: (value) => format.percent(value) },
        { title: batch > 1 ? 'p90, batch' : 'p90', unit: 'ms', value: (m) => positive(models[m].latency_ms.p90), format: format.ms },
        { title: overlapped ? 'Images/s, inference' : 'Images/s', value: (m) => positive(rate(m)), format: (value) => format.number(value, 1) },
        ...(known ? [
          { title: 'Parameters', value: (m) => positive(models[m].parameters), format: format.metric },
          { title: 'MACs', value: (m) => positive(models[m].macs), format: format.metric },
          { title: 'Memory', value: (m) => positive(models[m].memory_bytes), format: format.bytes },
          { title: 'Load', unit: 'ms', value: (m) => positive(models[m].model_load_ms), format: format.ms }] : []),
        ...(models.length > 1 ? [{ title: 'On the front', text: true, value: (m) => data.advice[m].pareto ? 'yes' : 'no' }] : []),
        ...(budgeted ? [{ title: 'Budget ' + data.budget, text: true, value: (m) => data.advice[m].meets_budget ? 'met' : data.advice[m].misses.join('; ') }] : []),
      ], models.map((model, m) => m), { caption: 'What each model gives and costs' }),
      models.length > 1 && timed ? plot({ title: 'Accuracy and latency', about: 'up and to the left is better', height: 260, legend: legend(),
        x: { label: 'p90 of ' + stageNames.latency + ', ms', from: 0, to: 1.1 * Math.max(...models.map((model) => model.latency_ms.p90)), grid: true },
        y: { label: 'top-1, %', from: 0, to: 100 },
        marks: models.flatMap((model, m) => [
          { shape: 'interval', x: model.latency_ms.p90, y0: 100 * model.top1_interval[0], y1: 100 * model.top1_interval[1] },
          { shape: 'point', x: model.latency_ms.p90, y: 100 * model.top1_share, r: 6, series: m, text: `${names[m]}: top-1 ${format.percent(model.top1_share)}, p90 ${format.ms(model.latency_ms.p90)} ms` }]),
        values: 'The same numbers are in the table above, the intervals in that of accuracy.' }) : null);
  };

  // ---------------------------------------------------------------- gallery

  const kMost = 24;  // cards shown before a button shows all
  const prediction = (picture, m) => {
    const { best, index, confidence, right } = picture.predictions[m];
    const list = best.length > 0 ? best : [[index, confidence]];
    return element('div', { class: 'prediction' },
      element('p', { class: 'who' }, key(m), element('span', {}, names[m]), element('span', { class: right ? 'right' : 'wrong' }, right ? '✓ right' : '✗ wrong')),
      element('ol', {}, list.map(([of, probability]) => element('li', { class: of === picture.label ? 'truth' : null },
        element('span', { class: 'class', title: className(of) }, shortClass(of)), element('span', { class: 'probability' }, format.percent(probability, 1))))));
  };
  const card = (picture, shown) => element('article', { class: 'card' },
    picture.thumbnail ? element('img', { src: picture.thumbnail, alt: `picture ${picture.name}, of class ${className(picture.label)}` }) : null,
    element('div', {},
      element('h3', {}, className(picture.label)),
      element('p', { class: 'note' }, (picture.folder && picture.folder !== className(picture.label) ? picture.folder + '/' : '') + picture.name),
      shown.map((m) => prediction(picture, m))));

  const gallery = () => {
    if (data.gallery.groups.length === 0) return null;
    let kind = 'all', all = false;
    const groups = data.gallery.groups, alone = pairs.length === 0;
    const holder = element('div', {});
    const kindNames = (group) => alone ? ['', '', 'wrong'] : ['only ' + names[group.first] + ' right', 'only ' + names[group.second] + ' right', 'both wrong, in different ways'];
    const list = (group) => {
      const kinds = kind === 'all' ? [0, 1, 2] : [Number(kind)];
      // The kinds take turns, so that all are seen.
      const lists = kinds.map((k) => group.kinds[k].shown.map((i) => data.gallery.pictures[i]).filter((picture) => state.place < 0 || picture.label === chosen().index));
      const mixed = [];
      for (let i = 0; i < Math.max(0, ...lists.map((of) => of.length)); ++i) lists.forEach((of) => { if (i < of.length) mixed.push(of[i]); });
      return mixed;
    };
    const show = () => {
      const group = groups[state.pair], texts = kindNames(group), found = group.kinds.map((of) => of.found);
      const cards = list(group), shown = alone ? [0] : [group.first, group.second];
      const kept = sum(group.kinds.map((of) => of.shown.length));
      const choices = [{ value: 'all', text: 'all ' + format.count(sum(found)) }, ...texts.map((text, k) => ({ value: String(k), text: `${text} (${format.count(found[k])})` })).filter((choice, k) => found[k] > 0)];
      holder.replaceChildren(
        element('div', {}, choices.length > 2 ? select('Who is right', choices, (value) => { kind = value; all = false; show(); }, kind) : null),
        element('p', { class: 'note', role: 'status', 'aria-live': 'polite' }, (kept < sum(found)
          ? `This page holds ${format.count(kept)} of the ${format.count(sum(found))}: the most confident ${format.count(data.gallery.of_a_kind)} of each kind and at least one for each class. ` : '')
          + (state.place < 0 ? '' : 'The numbers in brackets are of all classes. ')
          + (cards.length === 0 ? 'None of them is of this kind and class.' : `${format.count(cards.length)} to see.`)),
        element('div', { class: 'cards' }, (all ? cards : cards.slice(0, kMost)).map((picture) => card(picture, shown))),
        !all && cards.length > kMost ? element('button', { type: 'button', class: 'more', click: () => { all = true; show(); } }, `Show all ${format.count(cards.length)}`) : '');
    };
    watchers.push(() => { all = false; show(); });
    show();
    return section('gallery', alone ? 'Errors, the most confident first' : 'Disagreements, the most confident first',
      alone ? null : 'Pictures for which the two models name different classes, those first on which both were surest. The true class is the heading, and marked in the lists.', holder);
  };

  // ---------------------------------------------------------------- errors, environment

  const errors = () => summary.errors === 0 ? null : section('errors', 'Pictures with an error', format.count(summary.errors) + ' of them; they are in no figure.',
    table([{ title: 'Picture', text: true, value: (row) => (row.folder ? row.folder + '/' : '') + row.image }, { title: 'Error', text: true, value: (row) => row.error }],
      data.errors, { caption: data.errors.length < summary.errors ? 'The first ' + data.errors.length : 'All of them' }));

  const facts = (caption, rows) => table([{ title: '', text: true, value: (row) => row[0] }, { title: '', text: true, value: (row) => row[1] }],
    rows.filter(([, value]) => value !== undefined && value !== null && value !== ''), { caption, sortable: false });
  const machineFacts = (environment) => facts('Machine', [
    ['Processor', environment.processor],
    ['Cores', environment.logical_cores === undefined ? environment.physical_cores : `${environment.physical_cores} physical, ${environment.logical_cores} logical`],
    ['Instruction sets', (environment.isa || []).join(', ')],
    ['Memory', environment.memory_bytes === undefined ? null : format.bytes(environment.memory_bytes)],
    ['System', [environment.system, environment.kernel].filter(Boolean).join(', ')],
    ['Load average at the start', environment.load_average === undefined ? null : environment.load_average.map((value) => format.number(value, 2)).join(', ') + ' (1, 5, 15 minutes)'],
    ['Time', environment.time], ['tessera', environment.tessera], ['Compiler', environment.compiler],
    ['Libraries', Object.entries(environment.libraries || {}).map((entry) => entry.join(' ')).join(', ')]]);
  const settingFacts = (run) => facts('Run', [
    ['Mode', run.mode], ['Batch', run.batch], ['Preparing threads', run.workers], ['Warm-up runs', run.warmup], ['Seed', run.seed], ['Decoder', run.decoder],
    ['Sample', run.sample ? `${run.sample.order === 'first' ? 'the first ' : ''}${format.count(run.sample.pictures)} of ${format.count(run.sample.of)} pictures, of ${run.sample.classes} of ${run.sample.of_classes} classes` : null], ['Notes', (run.notes || []).join('; ')], ['Data', run.data], ['Data, SHA-256', run.data_sha256], ['Shard', run.shard === '1/1' ? null : run.shard]]);
  // Prints numbers that were float32 without the digits beyond their precision.
  const rounded = (name, value) => typeof value === 'number' ? Number(value.toPrecision(6)) : value;
  const modelSettings = (run) => table([
    // The comparison's names, which are distinct even for two models of one name.
    { title: 'Model', text: true, value: (model) => run.models.length === models.length ? models[run.models.indexOf(model)].name : model.name }, { title: 'Architecture', text: true, value: (model) => model.architecture },
    { title: 'Type', text: true, value: (model) => model.dtype }, { title: 'Backend', text: true, value: (model) => [model.backend, model.isa].filter(Boolean).join(', ') },
    { title: 'Threads', value: (model) => model.threads },
    { title: 'Preprocessing', text: true, value: (model) => JSON.stringify(model.preprocess, rounded), format: (text) => element('code', {}, text) },
    { title: 'Weights, SHA-256', text: true, value: (model) => model.weights_sha256, format: (text) => text ? element('code', {}, text) : format.none },
  ], run.models, { caption: 'Models as they ran', sortable: false });
  const environment = () => {
    const run = data.run;
    if (!run) {
      return section('environment', 'Environment', null, element('p', {}, 'Not known: there was no run.json beside the predictions. They do not say on which machine, in which way or with which weights they were made.'));
    }
    const shards = run.shards || [run];
    return section('environment', 'Environment', null, settingFacts(run), Array.isArray(run.models) ? modelSettings(run) : null,
      shards.map((shard) => [shards.length > 1 ? element('h3', {}, `Shard ${shard.shard || shard.folder}`) : null,
        shard.environment ? machineFacts(shard.environment) : element('p', {}, 'The machine was not recorded.'),
        shard.command ? [element('h3', {}, 'Command to reproduce'), element('pre', { class: 'command', tabindex: 0 }, shard.command)] : null]));
  };

  // ---------------------------------------------------------------- the page

  const words = element('section', { id: 'summary', 'aria-label': 'Summary' }, element('ul', { class: 'sentences' }, data.words.map((sentence) => element('li', {}, sentence))));
  const none = summary.pictures === 0;
  const sections = none ? [errors(), environment()]
    : [accuracy(), pairs.length > 0 ? agreement() : null, byClass(), confidence(), times(), cost(), gallery(), errors(), environment()];
  const kept = sections.filter(Boolean);
  const contents = element('nav', { 'aria-label': 'Contents' }, kept.map((of) => element('a', { href: '#' + of.id }, of.querySelector('h2').textContent.split(',')[0])));
  main.append(words, contents, ...(none ? [] : [controls()].filter(Boolean)), ...kept);
})();
