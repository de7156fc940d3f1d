// Shared by all pages: the data, a count of errors, elements, numbers, tables. Text from the data becomes text nodes
// and attribute values only, never markup.
'use strict';

const tessera = {};

// Errors of scripts and breaches of the policy: counted in <html data-errors> and shown on the page.
(() => {
  const root = document.documentElement;
  root.dataset.errors = '0';
  const count = (message) => {
    root.dataset.errors = String(Number(root.dataset.errors) + 1);
    const faults = document.getElementById('faults');
    if (!faults) return;
    faults.hidden = false;
    const line = document.createElement('p');
    line.textContent = 'This page has a fault: ' + message;
    faults.append(line);
  };
  window.addEventListener('error', (event) => count(event.message));
  window.addEventListener('unhandledrejection', (event) => count(String(event.reason)));
  document.addEventListener('securitypolicyviolation', (event) => count('refused: ' + event.violatedDirective));
})();

tessera.data = JSON.parse(document.getElementById('data').textContent);

// ---------------------------------------------------------------- elements

// An element with attributes and children: strings become text, null is left out, functions become listeners.
(() => {
  const fill = (node, attributes, children) => {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (typeof value === 'function') node.addEventListener(name, value);
      else node.setAttribute(name, value === true ? '' : String(value));
    }
    for (const child of children.flat(Infinity)) {
      if (child !== null && child !== undefined && child !== false) node.append(child);
    }
    return node;
  };
  tessera.element = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  tessera.svg = (tag, attributes, ...children) =>
    fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
  let ids = 0;
  tessera.id = (prefix) => prefix + '-' + ++ids;
})();

// A section of the page with its heading and, above the content, a sentence on what is in it.
tessera.section = (id, title, about, ...children) =>
  tessera.element('section', { id, 'aria-labelledby': id + '-title' },
    tessera.element('h2', { id: id + '-title' }, title),
    about ? tessera.element('p', { class: 'about' }, about) : null, ...children);

// ---------------------------------------------------------------- numbers

tessera.format = (() => {
  const none = '–';
  const known = (value) => typeof value === 'number' && Number.isFinite(value);
  const number = (value, digits = 2) => known(value)
    ? value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits }) : none;
  const scaled = (value, units, base) => {
    if (!known(value)) return none;
    let step = 0;
    while (step + 1 < units.length && Math.abs(value) >= base) {
      value /= base;
      ++step;
    }
    return number(value, step === 0 ? 0 : value < 10 ? 2 : 1) + units[step];
  };
  return {
    none, known, number,
    count: (value) => number(value, 0),
    // A share, 0 to 1.
    percent: (share, digits = 2) => known(share) ? number(100 * share, digits) + ' %' : none,
    // Enough digits to distinguish kernels and networks.
    ms: (value) => number(value, !known(value) || value < 1 ? 3 : value < 1000 ? 2 : 1),
    bytes: (value) => scaled(value, [' B', ' kB', ' MB', ' GB', ' TB'], 1000),
    metric: (value) => scaled(value, ['', ' K', ' M', ' G', ' T'], 1000),
    // Small probabilities as powers of ten.
    probability: (value) => !known(value) ? none : value !== 0 && value < 1e-4 ? value.toExponential(1) : number(value, 4),
  };
})();

// ---------------------------------------------------------------- tables

// A table that is sorted by clicking on a column's heading and, with `filter`, narrowed by typing.
//   columns: [{ title, value: row => value, format: value => text or node, text: true for words, unit }]
//   options: { caption, filter, sort: { column, descending }, most: rows shown at first, sortable: false, mark }
// The first column names the row. mark(tr, row) may set attributes. Returns the element; its update(rows) shows others.
tessera.table = (columns, rows, options = {}) => {
  const { element } = tessera;
  let sorted = options.sort || null, wanted = '', shown = options.most || Infinity;
  const body = element('tbody');
  const note = element('p', { class: 'note', role: 'status', 'aria-live': 'polite' });
  const shownText = (column, row) => {
    const value = column.value(row);
    const text = column.format ? column.format(value, row) : value;
    return text === null || text === undefined ? tessera.format.none : text;
  };
  const cell = (column, index, row) => element(index === 0 ? 'th' : 'td',
    { scope: index === 0 ? 'row' : null, class: column.text ? 'words' : 'number' }, shownText(column, row));
  const matches = (row) => wanted === '' || columns.some(
    (column) => column.text && String(column.value(row)).toLowerCase().includes(wanted));
  const compare = (a, b) => {
    if (typeof a === 'string' || typeof b === 'string') return String(a).localeCompare(String(b));
    const left = tessera.format.known(a) ? a : -Infinity, right = tessera.format.known(b) ? b : -Infinity;
    return left < right ? -1 : left > right ? 1 : 0;
  };
  const heads = columns.map((column, index) => {
    const title = [column.title, column.unit ? element('span', { class: 'unit' }, ' ' + column.unit) : null];
    if (options.sortable === false) {
      return element('th', { scope: 'col', class: column.text ? 'words' : 'number' }, title);
    }
    const turn = () => {
      const first = !column.text;  // numbers: the largest first
      sorted = { column: index, descending: sorted && sorted.column === index ? !sorted.descending : first };
      show();
    };
    return element('th', { scope: 'col', class: column.text ? 'words' : 'number' },
      element('button', { type: 'button', class: 'sort', click: turn }, title));
  });
  const more = element('button', { type: 'button', class: 'more', click: () => { shown = Infinity; show(); } });
  const show = () => {
    const kept = rows.filter(matches);
    if (sorted) {
      const { value } = columns[sorted.column];
      kept.sort((a, b) => (sorted.descending ? -1 : 1) * compare(value(a), value(b)));
    }
    heads.forEach((head, index) => {
      if (sorted && sorted.column === index) head.setAttribute('aria-sort', sorted.descending ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    });
    body.replaceChildren(...kept.slice(0, shown).map((row) => {
      const line = element('tr', {}, columns.map((column, index) => cell(column, index, row)));
      if (options.mark) options.mark(line, row);
      return line;
    }));
    more.hidden = kept.length <= shown;
    more.textContent = 'Show all ' + tessera.format.count(kept.length) + ' rows';
    note.textContent = wanted === '' ? '' : tessera.format.count(kept.length) + ' of ' + tessera.format.count(rows.length) + ' rows';
  };
  const filter = options.filter ? element('label', { class: 'filter' }, options.filter + ' ',
    element('input', { type: 'search', input: (event) => { wanted = event.target.value.trim().toLowerCase(); show(); } })) : null;
  show();
  const table = element('table', {}, options.caption ? element('caption', {}, options.caption) : null,
    element('thead', {}, element('tr', {}, heads)), body);
  const whole = element('div', { class: 'table' }, filter,
    element('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': options.caption || 'table' }, table), more,
    filter ? note : null);
  whole.update = (others) => { rows = others; show(); };
  return whole;
};

// ---------------------------------------------------------------- controls

// A drop-down list. choices: [{ value, text }]; change(value).
tessera.select = (label, choices, change, value) => {
  const { element } = tessera;
  const list = element('select', { change: (event) => change(event.target.value) },
    choices.map((choice) => element('option', { value: choice.value, selected: choice.value === value }, choice.text)));
  return element('label', { class: 'filter' }, label + ' ', list);
};

// Light, dark, or the system's choice.
(() => {
  const root = document.documentElement;
  const { element } = tessera;
  const themes = ['system', 'light', 'dark'];
  let theme = 0;
  const button = element('button', { type: 'button', class: 'theme', click: () => {
    theme = (theme + 1) % themes.length;
    root.style.colorScheme = theme === 0 ? '' : themes[theme];
    name();
  } });
  const name = () => { button.textContent = 'Colours: ' + themes[theme]; };
  name();
  document.querySelector('header.top').append(button);
})();
