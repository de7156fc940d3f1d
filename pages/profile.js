// A profile's page: evaluation/profile_formats.h's data as bars of stages, blocks and layers, rooflines, tables.
'use strict';

(() => {
  const { data, element, format, section, table, plot, select } = tessera;
  const { profiles } = data;
  const main = document.getElementById('main');
  main.replaceChildren();
  const several = profiles.length > 1;

  // ---------------------------------------------------------------- numbers

  const ms = (us) => format.ms(us / 1000);
  const us = (value) => format.number(value, 1);
  const share = (value) => format.percent(value, 1);
  const rate = (value) => format.number(value, 1);
  const sum = (list, value) => list.reduce((total, entry) => total + value(entry), 0);
  const ofRoof = (line) => line.of_roofline === null ? format.none : format.percent(line.of_roofline, 0) + ' of the ' + line.bound + ' roof';

  // Types of layers by their share of all profiles; each of the first seven has its colour, the rest is grey.
  const kColours = 7;
  const types = [...new Set(profiles.flatMap((profile) => profile.types.map((type) => type.name)))]
    .map((name) => ({ name, share: sum(profiles, (profile) => (profile.types.find((type) => type.name === name) || { share: 0 }).share) }))
    .sort((a, b) => b.share - a.share).map((type) => type.name);
  const colour = (type) => Math.min(types.indexOf(type), kColours);
  const legend = types.slice(0, kColours).map((text, series) => ({ series, text }))
    .concat(types.length > kColours ? [{ series: kColours, text: types.slice(kColours).join(', ') }] : []);

  // ---------------------------------------------------------------- whole runs

  const summary = () => table([
    { title: 'Model and setting', text: true, value: (p) => p.title },
    { title: 'Run, median', unit: 'ms', value: (p) => p.run_us.median, format: ms },
    { title: 'min', unit: 'ms', value: (p) => p.run_us.min, format: ms },
    { title: 'p99', unit: 'ms', value: (p) => p.run_us.p99, format: ms },
    { title: 'Pictures a second', value: (p) => p.batch * 1e6 / p.run_us.median, format: rate },
    { title: 'Sum of layers', unit: 'ms', value: (p) => p.sum_of_medians_us, format: ms },
    { title: 'Gap', value: (p) => p.gap_us / p.run_us.median, format: (value) => format.percent(value) },
    { title: 'Cost of watching', value: (p) => p.cost_of_watching, format: (value) => format.percent(value) },
    { title: 'Roof', unit: 'GFLOP/s', value: (p) => p.roofline.gflops, format: rate },
    { title: 'Memory', unit: 'GB/s', value: (p) => p.roofline.read_gbs, format: rate },
  ], profiles, { caption: 'whole runs', sortable: several });

  // ---------------------------------------------------------------- stage > block > layer

  // Bars of one width scale in three rows; the layers of `part` ("" for all) fill it.
  const flameOptions = (profile, part) => {
    const layers = profile.layers.filter((layer) => part === '' || layer.stage === part);
    const marks = [];
    const rows = ['Stage', 'Block', 'Layer'];
    const cell = (row, from, to, name, words, series) => marks.push({ shape: 'cell', x0: from / 1000, x1: to / 1000,
      y0: row + 0.42, y1: row + 0.97, label: name, text: words, series, class: series === undefined ? 'quiet' : '' });
    const group = (row, key) => {
      for (let first = 0, at = 0; first < layers.length;) {
        let next = first, width = 0;
        while (next < layers.length && layers[next][key] === layers[first][key]) width += layers[next++].median_us;
        cell(row, at, at + width, layers[first][key], layers[first][key] + ': ' + ms(width) + ' ms, '
          + share(width / profile.sum_of_medians_us) + ', ' + format.count(next - first) + (next - first === 1 ? ' layer' : ' layers'));
        at += width;
        first = next;
      }
    };
    group(0, 'stage');
    group(1, 'block');
    let at = 0;
    for (const layer of layers) {
      cell(2, at, at + layer.median_us, layer.path.slice(layer.path.lastIndexOf('.') + 1), layer.path + ': ' + us(layer.median_us) + ' µs, '
        + share(layer.share) + '\n' + layer.layer + ', ' + layer.kernel + ', ' + ofRoof(layer), colour(layer.layer));
      at += layer.median_us;
    }
    return { title: several ? profile.title : 'Where the time goes', about: part === '' ? 'all layers in the order of execution' : 'the layers of ' + part,
      height: 3 * 62 + 60, legend, marks, x: { label: 'ms, medians added up', from: 0, to: at / 1000 || 1 }, y: { kind: 'bands', bands: rows },
      values: 'The same numbers are in the tables of stages, blocks and layers below.' };
  };
  const flames = () => profiles.map((profile) => {
    const drawn = plot(flameOptions(profile, ''));
    const stages = profile.stages.map((stage) => ({ value: stage.name, text: stage.name + ' (' + share(stage.share) + ')' }));
    return element('div', { class: 'flame' },
      select('Part shown', [{ value: '', text: 'the whole network' }, ...stages], (part) => drawn.update(flameOptions(profile, part))), drawn);
  });

  // ---------------------------------------------------------------- roofline

  const rooflineOptions = (profile) => {
    const { gflops, read_gbs } = profile.roofline;
    const layers = profile.layers.filter((layer) => layer.macs > 0);
    const ridge = gflops / read_gbs;
    const within = (values, least, most) => [Math.min(least, ...values), Math.max(most, ...values)];
    const [left, right] = within(layers.map((layer) => layer.flop_per_byte), ridge / 4, ridge * 8);
    const [low, high] = within(layers.map((layer) => layer.gflops), gflops / 16, gflops);
    const bottom = low / 1.5, top = high * 1.6;
    const start = Math.max(left, bottom / read_gbs);
    const marks = [{ shape: 'line', class: 'roof', points: [[start, start * read_gbs], [Math.max(ridge, start), gflops], [right * 1.5, gflops]],
      text: 'Roof: ' + rate(gflops) + ' GFLOP/s, ' + rate(read_gbs) + ' GB/s; they meet at ' + rate(ridge) + ' FLOP for each byte' }];
    for (const layer of layers) {
      marks.push({ shape: 'point', x: layer.flop_per_byte, y: layer.gflops, r: 3 + 16 * Math.sqrt(layer.share), series: colour(layer.layer),
        text: layer.path + ': ' + rate(layer.gflops) + ' GFLOP/s at ' + rate(layer.flop_per_byte) + ' FLOP for each byte, '
          + ofRoof(layer) + '\n' + layer.kernel + ', ' + share(layer.share) + ' of the time' });
    }
    const others = profile.layers.length - layers.length;
    return { title: several ? profile.title : 'Roofline', about: 'a point a layer, its area its share of the time'
      + (others > 0 ? '; ' + format.count(others) + ' without multiply-adds are in the table alone' : ''),
      height: 420, legend, marks, x: { label: 'operations for each byte', kind: 'log', from: left / 1.5, to: right * 1.5, grid: true },
      y: { label: 'GFLOP/s', kind: 'log', from: bottom, to: top }, values: 'The same numbers are in the table of layers below.' };
  };

  // ---------------------------------------------------------------- tables

  const numbers = [
    { title: 'Share', value: (line) => line.share, format: share },
    { title: 'Median', unit: 'µs', value: (line) => line.median_us, format: us },
    { title: 'min', unit: 'µs', value: (line) => line.min_us, format: us },
    { title: 'p99', unit: 'µs', value: (line) => line.p99_us, format: us },
    { title: 'GFLOP/s', value: (line) => line.macs > 0 ? line.gflops : null, format: rate },
    { title: 'GB/s', value: (line) => line.gbs, format: rate },
    { title: 'FLOP/B', value: (line) => line.macs > 0 ? line.flop_per_byte : null, format: rate },
    { title: 'Of roof', value: (line) => line.of_roofline, format: (value) => format.percent(value, 0) },
    { title: 'Bound', text: true, value: (line) => line.bound },
  ];
  const named = (title) => [{ title, text: true, value: (line) => line.name }, { title: 'Layers', value: (line) => line.nodes, format: format.count }];
  const layerColumns = [
    { title: 'Layer', text: true, value: (line) => line.path }, { title: 'Type', text: true, value: (line) => line.layer },
    { title: 'Kernel', text: true, value: (line) => line.kernel }, { title: 'Output', text: true, value: (line) => line.output }];
  const kinds = {
    types: { text: 'types', columns: [...named('Type'), ...numbers] },
    stages: { text: 'stages', columns: [...named('Stage'), ...numbers] },
    blocks: { text: 'blocks', columns: [...named('Block'), ...numbers] },
    layers: { text: 'layers', columns: [...layerColumns, ...numbers] },
  };

  const lineTables = () => {
    const state = { kind: 'layers', profile: 0 };
    const holder = element('div', {});
    const show = () => {
      const { text, columns } = kinds[state.kind], profile = profiles[state.profile];
      holder.replaceChildren(table(columns, profile[state.kind], { caption: text + (several ? ' of ' + profile.title : ''),
        filter: state.kind === 'layers' ? 'Layer, type or kernel contains' : null }));
    };
    show();
    return [select('A line for each of the', Object.entries(kinds).map(([value, { text }]) => ({ value, text })), (kind) => { state.kind = kind; show(); }, state.kind),
      several ? select('of', profiles.map((profile, i) => ({ value: String(i), text: profile.title })), (i) => { state.profile = Number(i); show(); }) : null,
      holder];
  };

  const comparison = () => {
    const { lines, by } = data.comparison;
    const columns = [{ title: by[0].toUpperCase() + by.slice(1), text: true, value: (line) => line.name }];
    profiles.forEach((profile, i) => {
      columns.push({ title: profile.title, unit: 'µs', value: (line) => line.median_us[i], format: us });
      if (i > 0) columns.push({ title: 'to the first', value: (line) => line.ratio[i], format: (value) => format.number(value, 3) });
    });
    return table(columns, lines, { caption: 'medians by ' + by });
  };

  // ---------------------------------------------------------------- the page

  main.append(...[
    section('runs', 'Whole runs', 'Gap: what a run takes beyond its layers. Cost of watching: what a watched run takes beyond the '
      + 'unwatched one beside it, median of ' + format.count(profiles[0].runs) + ' pairs.', summary()),
    several ? section('comparison', 'Beside each other', 'Medians of runs that were taken by turns.', comparison()) : null,
    section('time', 'Time', 'Width is time. Choose a part of the network to see its layers.', flames()),
    section('roofline', 'Against this machine', 'The roof is what memory, on its left, and arithmetic, on its right, allow by the definition. Points above it '
      + 'read from a cache, or do fewer operations than the definition (Winograd, bf16, int8).', profiles.map((profile) => plot(rooflineOptions(profile)))),
    section('lines', 'In numbers', 'Operations are two for each multiply-add of the definition; bytes are inputs, weights and output, each once.', lineTables()),
  ].filter(Boolean));
})();
