// tessera inspect --html: what models are made of. The data are models, each with its document (as --json prints it),
// the graph after each pass that changed it, and statistics of its tensors.
'use strict';

(() => {
  const { data, element, format, table, plot, bars, section, select } = tessera;
  const main = document.getElementById('main');
  const models = data.models;
  const shape = (dimensions) => '[' + dimensions.join(', ') + ']';
  const last = (path) => path.slice(path.lastIndexOf('.') + 1);
  const sum = (layers, field) => layers.reduce((total, layer) => total + layer[field], 0);

  // Colours by the purpose of a layer.
  const kinds = [
    { name: 'convolution, patches', series: 0, layers: ['Conv2d', 'PatchEmbed'] },
    { name: 'linear', series: 2, layers: ['Linear'] },
    { name: 'attention, softmax', series: 3, layers: ['Attention', 'Softmax'] },
    { name: 'norm, scale', series: 4, layers: ['BatchNorm', 'LayerNorm', 'LayerScale'] },
    { name: 'activation', series: 1, layers: ['Activation'] },
    { name: 'pool, add, others', series: 7, layers: [] },
  ];
  const kindOf = (layer) => kinds.find((kind) => kind.layers.includes(layer)) || kinds[kinds.length - 1];
  // A block has the colour of its layer with the most multiplications.
  const colourOf = (box) => {
    if (box.layers.length === 0) return 'series-7';
    return 'series-' + kindOf(box.layers.reduce((most, layer) => layer.macs > most.macs ? layer : most).layer).series;
  };

  // arXiv:1512.03385 and doi:... in a source become links; so does an address.
  const linked = (source) => source.split(/(arXiv:[\d.]+\d|doi:\S+[^\s;,]|https:\S+)/).map((part, i) => i % 2 === 0 ? part
    : element('a', { href: part.replace(/^arXiv:/, 'https://arxiv.org/abs/').replace(/^doi:/, 'https://doi.org/') }, part.replace(/^https:\/\//, '')));

  // ---------------------------------------------------------------- totals

  const totals = () => {
    const rows = [
      ['Architecture', (model) => model.document.architecture], ['Paper', (model) => linked(model.document.paper)],
      ['Picture', (model) => shape(model.document.input)], ['Layers', (model) => format.count(model.document.layers.length)],
      ['Parameters', (model) => format.count(model.document.totals.parameters)],
      ['MACs a picture', (model) => format.count(model.document.totals.macs)],
      ['MACs and norms, as fvcore counts', (model) => format.count(model.document.totals.macs_and_norms)],
      ['Weights in float32', (model) => format.bytes(4 * model.document.totals.parameters)],
      ['Activations, in one arena', (model) => format.bytes(model.document.totals.arena_bytes)],
      ['Activations, each by itself', (model) => format.bytes(model.document.totals.separate_bytes)],
    ];
    return section('totals', 'Totals', 'MACs are the multiply-adds of convolutions, linear layers and attention’s two products. fvcore, with which published '
      + 'counts are made, adds 5 for each value of a layer norm, 2 of a batch norm and 1 of a global mean. Running means and variances are not parameters.',
      table([{ title: '', text: true, value: (row) => row[0] }, ...models.map((model) => ({ title: model.document.model, text: true, value: (row) => row[1](model) }))],
        rows, { caption: 'Totals', sortable: false }));
  };

  // ---------------------------------------------------------------- one node

  const facts = (pairs) => element('dl', {}, pairs.filter(([, value]) => value !== '' && value !== null).map(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));

  const tensor = (model, weight) => {
    const known = model.tensors[weight.name];
    const title = element('h4', {}, last(weight.name) + ' ' + shape(weight.shape));
    if (!known) return [title];
    const width = (known.max - known.min) / known.bins.length;
    const edge = (i) => known.min + i * width;
    const most = Math.max(...known.bins);
    const digits = (value) => format.known(value) ? String(Number(value.toPrecision(3))) : format.none;
    return [title, facts([['Mean', digits(known.mean)], ['Standard deviation', digits(known.deviation)], ['Least and most', digits(known.min) + ' to ' + digits(known.max)],
      ['Zeros', known.zeros === 0 ? '' : format.count(known.zeros)]]),
    known.max > known.min ? plot({ title: 'Values of ' + last(weight.name), height: 150, x: { from: known.min, to: known.max }, y: { from: 0, to: most * 1.05 },
      marks: known.bins.map((count, i) => ({ shape: 'bar', x0: edge(i), x1: edge(i + 1), y0: 0, y1: count, series: 0, text: `${digits(edge(i))} to ${digits(edge(i + 1))}: ${format.count(count)}` })),
      values: table([{ title: 'From', value: (i) => edge(i), format: digits }, { title: 'To', value: (i) => edge(i + 1), format: digits }, { title: 'Values', value: (i) => known.bins[i], format: format.count }],
        known.bins.map((count, i) => i), { caption: 'Values of ' + last(weight.name), sortable: false }) })
      : element('p', { class: 'note' }, 'All values are the same.')];
  };

  const share = (value, whole) => whole > 0 && value > 0 ? `${format.count(value)} (${format.percent(value / whole, 1)})` : format.count(value);
  const costs = (model, layers) => {
    const whole = model.document.totals;
    return [['Parameters', share(sum(layers, 'parameters'), whole.parameters)], ['MACs', share(sum(layers, 'macs'), whole.macs)],
      ['Activations', format.bytes(sum(layers, 'activation_bytes'))]];
  };

  const layerDetails = (model, layer, go) => [
    element('h3', {}, layer.path), element('p', {}, element('strong', {}, layer.layer), layer.attributes ? ' ' + layer.attributes : ''),
    element('p', { class: 'formula' }, layer.formula), layer.source ? element('p', { class: 'note' }, linked(layer.source)) : null,
    facts([['Takes', layer.input_shapes.map(shape).join(' and ')], ['Gives', shape(layer.output)], ...costs(model, [layer]),
      ['Computes', layer.origin.length > 1 ? layer.origin.join(', then ') : '']]),
    element('p', {}, 'From ', layer.inputs.map((path) => path === 'input' ? 'the picture' : element('button', { type: 'button', class: 'to', click: () => go(path) }, path))),
    layer.weights.length > 0 ? layer.weights.map((weight) => tensor(model, weight)) : null,
    layer.weights.length > 0 && Object.keys(model.tensors).length === 0
      ? element('p', { class: 'note' }, 'An architecture has no values. Inspect a model file, or seeded:' + model.document.architecture + '@7, to see them.') : null];

  const groupDetails = (model, box, go, open) => [
    element('h3', {}, box.id), element('p', {}, `${box.layers.length} layers`),
    facts([['Gives', shape(box.layers[box.layers.length - 1].output)], ...costs(model, box.layers)]),
    element('p', {}, element('button', { type: 'button', click: open }, 'Open this block')),
    element('p', {}, box.layers.map((layer) => element('button', { type: 'button', class: 'to', click: () => go(layer.path) }, layer.path.slice(box.id.length + 1) || layer.path)))];

  // ---------------------------------------------------------------- the graph

  const speak = (box) => box.layers.length === 0 ? 'the picture'
    : box.layers.length === 1 ? `${box.id}, ${box.layers[0].layer} ${box.layers[0].attributes}, gives ${shape(box.layers[0].output)}`
      : `${box.id}, ${box.layers.length} layers, gives ${shape(box.layers[box.layers.length - 1].output)}`;
  const shorter = (text, most) => text.length <= most ? text : text.slice(0, most - 1) + '…';

  const view = (model, alone) => {
    const steps = model.steps;
    let step = 0;
    const details = element('div', { class: 'details', role: 'region', 'aria-label': 'The chosen layer', 'aria-live': 'polite' },
      element('p', { class: 'note' }, 'Choose a box: by a click, or with the arrow keys and Enter.'));
    const note = element('p', { class: 'note' });
    const graph = tessera.graph({
      title: 'Layers of ' + model.document.model, depth: 2, layers: () => steps[step].layers, kind: colourOf, speak,
      lines: (box) => box.layers.length === 0 ? ['picture', shape(model.document.input)]
        : box.layers.length === 1 ? [shorter(box.id, 24), shorter(`${box.layers[0].layer} ${shape(box.layers[0].output.slice(1))}`, 30)]
          : [shorter(box.id, 24), `${box.layers.length} layers → ${shape(box.layers[box.layers.length - 1].output.slice(1))}`],
      select: (box) => details.replaceChildren(...(box.layers.length === 0 ? [element('h3', {}, 'picture'), facts([['Gives', shape(model.document.input)]])]
        : box.layers.length === 1 ? layerDetails(model, box.layers[0], graph.show)
          : groupDetails(model, box, graph.show, () => graph.open(box.id))).flat(Infinity).filter(Boolean)),
    });
    const say = () => { note.textContent = `${steps[step].layers.length} nodes: ${steps[step].what}.`; };
    say();
    const controls = element('div', {},
      select('Graph', steps.map((of, i) => ({ value: String(i), text: i === 0 ? 'as the paper draws it' : i === steps.length - 1 ? 'after all passes' : 'after ' + of.name })),
        (value) => { step = Number(value); say(); graph.update(); }, '0'),
      select('Shown', [{ value: '1', text: 'stages' }, { value: '2', text: 'blocks' }, { value: '3', text: 'parts of blocks' }, { value: '100', text: 'every layer' }], (value) => graph.update(Number(value)), '2'));
    const drawing = element('div', { class: 'view' }, alone ? null : element('h3', {}, model.document.model), controls, note, graph, alone ? null : details);
    return alone ? [drawing, details] : [drawing];
  };

  const graphs = () => section('graph', 'Graph',
    'Drag to move, Ctrl and the wheel or two fingers to zoom. By keyboard: Tab to the graph, arrows from box to box, Enter to choose, + − 0 to zoom. Orange lines are shortcuts; a double click opens a block.',
    element('ul', { class: 'keys' }, kinds.map((kind) => element('li', {}, element('span', { class: 'key series-' + kind.series }), kind.name))),
    element('div', { class: models.length === 1 ? 'views one' : 'views' }, models.map((model) => view(model, models.length === 1))));

  // ---------------------------------------------------------------- passes

  const passes = () => section('passes', 'What the passes do', 'Before a model runs, its graph is rewritten so that fewer layers touch memory. The results stay the same.',
    models.map((model) => [models.length > 1 ? element('h3', {}, model.document.model) : null,
      table([{ title: 'Pass', text: true, value: (pass) => pass.name }, { title: 'Nodes before', value: (pass) => pass.nodes_before, format: format.count },
        { title: 'after', value: (pass) => pass.nodes_after, format: format.count }, { title: 'What it does', text: true, value: (pass) => pass.what }],
      model.passes, { caption: 'Passes, in the order in which they run', sortable: false }),
      model.passes.filter((pass) => pass.folded.length > 0).map((pass) => element('details', {}, element('summary', {}, `${pass.name}: ${pass.folded.length} layers`),
        table([{ title: 'Layer', text: true, value: (fold) => fold.layer }, { title: 'becomes part of', text: true, value: (fold) => fold.into === null ? 'nothing: removed' : fold.into }],
          pass.folded, { caption: pass.name, most: 40 })))]));

  // ---------------------------------------------------------------- groups

  const quantities = [{ field: 'parameters', name: 'Parameters', shown: format.metric }, { field: 'macs', name: 'MACs', shown: format.metric },
    { field: 'activation_bytes', name: 'Activations', shown: format.bytes }];
  const groups = (id, title, about, field) => section(id, title, about, models.map((model, m) => {
    const rows = model.document[field];
    return [models.length > 1 ? element('h3', {}, model.document.model) : null,
      element('div', { class: 'plots' }, quantities.map((quantity) => plot(bars({ title: quantity.name, values: 'All the numbers are in the table below.', format: quantity.shown,
        most: 1.6 * Math.max(1, ...rows.map((row) => row[quantity.field])),  // room for the words behind the longest bar
       
        rows: rows.filter((row) => row[quantity.field] > 0).map((row) => ({ name: row.name, value: row[quantity.field], series: m, shown: `${quantity.shown(row[quantity.field])} (${format.percent(row[quantity.field] / Math.max(1, sum(rows, quantity.field)), 1)})` })) })))),
      table([{ title: field === 'stages' ? 'Stage' : 'Type', text: true, value: (row) => row.name }, { title: 'Layers', value: (row) => row.layers, format: format.count },
        ...quantities.map((quantity) => ({ title: quantity.name, value: (row) => row[quantity.field], format: quantity.field === 'activation_bytes' ? format.bytes : format.count }))],
      rows, { caption: title + (models.length > 1 ? ': ' + model.document.model : '') })];
  }));

  const everyLayer = () => section('layers', 'Every layer', 'As the paper draws it. Type into the filter to narrow it.',
    models.map((model) => table([{ title: 'Path', text: true, value: (layer) => layer.path }, { title: 'Layer', text: true, value: (layer) => layer.layer },
      { title: 'Attributes', text: true, value: (layer) => layer.attributes }, { title: 'Output', text: true, value: (layer) => shape(layer.output) },
      { title: 'Parameters', value: (layer) => layer.parameters, format: format.count }, { title: 'MACs', value: (layer) => layer.macs, format: format.count },
      { title: 'Activations', value: (layer) => layer.activation_bytes, format: format.bytes }],
    model.document.layers, { caption: 'Layers of ' + model.document.model, filter: 'Filter', most: 40 })));

  main.append(totals(), graphs(), passes(),
    groups('stages', 'By stage', 'Where parameters sit, where the multiply-adds are, and where the activations are large.', 'stages'),
    groups('types', 'By type of layer', null, 'types'), everyLayer());
})();
