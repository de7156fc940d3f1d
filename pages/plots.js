// Plots as SVG, drawn at the available width: bars, intervals, lines, points, boxes. A mark with a text can be hovered,
// touched, or reached by keyboard (one tab stop for each plot, then the arrow keys); a table below the plot has the
// same numbers.
'use strict';

(() => {
  const { svg, element } = tessera;

  // ---------------------------------------------------------------- scales

  // Steps of 1, 2 or 5 times a power of ten, about `count` of them.
  const niceStep = (span, count) => {
    const raw = span / Math.max(count, 1), power = 10 ** Math.floor(Math.log10(raw));
    return [1, 2, 5, 10].find((factor) => factor * power >= raw * (1 - 1e-9)) * power;
  };
  const linearTicks = (from, to, count) => {
    const step = niceStep(to - from || 1, count), ticks = [];
    for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; ++i) ticks.push(i * step || 0);  // no -0
    return ticks;
  };
  const logTicks = (from, to, count) => {
    const ticks = [];
    const decades = Math.log10(to / from);
    for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); ++power) {
      for (const factor of decades * 3 <= count ? [1, 2, 5] : [1]) {
        const tick = factor * 10 ** power;
        if (tick >= from * (1 - 1e-9) && tick <= to * (1 + 1e-9)) ticks.push(tick);
      }
    }
    return ticks.length > 1 ? ticks : linearTicks(from, to, count);
  };
  const shortest = (value) => Number(value.toPrecision(6)).toLocaleString('en-US', { maximumFractionDigits: 6 });

  // axis: { label, kind: 'linear' | 'log' | 'bands', from, to, bands: [names], format }. The i-th band lies from i to i
  // + 1.
  const scaleOf = (axis, start, end, count) => {
    if (axis.kind === 'bands') {
      return { at: (value) => start + (end - start) * value / axis.bands.length, ticks: [], text: String };
    }
    const log = axis.kind === 'log';
    const place = log ? Math.log : Number, from = place(axis.from), span = place(axis.to) - from || 1;
    const clamp = (value) => Math.min(Math.max(value, axis.from), axis.to);
    return {
      at: (value) => start + (end - start) * (place(clamp(value)) - from) / span,
      ticks: (log ? logTicks : linearTicks)(axis.from, axis.to, count),
      text: axis.format || shortest,
    };
  };

  // ---------------------------------------------------------------- marks

  const kCharacter = 7.2;  // pixels, about

  // Each draws one mark; `x` and `y` are the scales.
  const shapes = {
    bar: (mark, x, y) => {
      const left = Math.min(x(mark.x0), x(mark.x1)), top = Math.min(y(mark.y0), y(mark.y1));
      return svg('rect', { x: left, y: top, width: Math.abs(x(mark.x1) - x(mark.x0)),
        height: Math.max(Math.abs(y(mark.y1) - y(mark.y0)), 0.5) });
    },
    // A bar with its name in it, where there is room.
    cell: (mark, x, y) => {
      const node = svg('g', {}, shapes.bar(mark, x, y)), width = Math.abs(x(mark.x1) - x(mark.x0));
      if (mark.label && mark.label.length * kCharacter + 6 <= width) {
        node.append(svg('text', { x: x(mark.x0) + 4, y: (y(mark.y0) + y(mark.y1)) / 2 + 4 }, mark.label));
      }
      return node;
    },
    // A line with ends: { x0, x1, y } or { x, y0, y1 }.
    interval: (mark, x, y) => {
      const flat = mark.x === undefined, end = 4;
      const path = flat
        ? `M${x(mark.x0)} ${y(mark.y)}H${x(mark.x1)}M${x(mark.x0)} ${y(mark.y) - end}v${2 * end}M${x(mark.x1)} ${y(mark.y) - end}v${2 * end}`
        : `M${x(mark.x)} ${y(mark.y0)}V${y(mark.y1)}M${x(mark.x) - end} ${y(mark.y0)}h${2 * end}M${x(mark.x) - end} ${y(mark.y1)}h${2 * end}`;
      return svg('path', { d: path });
    },
    line: (mark, x, y) => svg('path', { d: 'M' + mark.points.map(([a, b]) => `${x(a)} ${y(b)}`).join('L') }),
    point: (mark, x, y) => svg('circle', { cx: x(mark.x), cy: y(mark.y), r: mark.r || 4 }),
    rule: (mark, x, y) => svg('path', { d: `M${x(mark.x0)} ${y(mark.y0)}L${x(mark.x1)} ${y(mark.y1)}` }),
    // Quartiles and whiskers along x, from y0 to y1.
    box: (mark, x, y) => {
      const top = y(mark.y0), bottom = y(mark.y1), middle = (top + bottom) / 2, end = (bottom - top) / 4;
      return svg('g', {},
        svg('path', { class: 'whisker', d: `M${x(mark.low)} ${middle}H${x(mark.high)}M${x(mark.low)} ${middle - end}v${2 * end}M${x(mark.high)} ${middle - end}v${2 * end}` }),
        svg('rect', { x: x(mark.quarter), y: top, width: Math.max(x(mark.threeQuarters) - x(mark.quarter), 1), height: bottom - top }),
        svg('path', { class: 'median', d: `M${x(mark.median)} ${top}V${bottom}` }));
    },
    // Words at a place: anchor start, middle or end, moved by dx and dy pixels.
    label: (mark, x, y) => svg('text', { x: x(mark.x) + (mark.dx || 0), y: y(mark.y) + (mark.dy || 0), 'text-anchor': mark.anchor || 'start' }, mark.label),
  };

  // ---------------------------------------------------------------- one plot

  const kRight = 14, kTop = 10;

  // A text that is too long for `width` pixels loses its middle: model names differ at their ends.
  const fitted = (text, width) => {
    const most = Math.max(8, Math.floor(width / kCharacter));
    return text.length <= most ? text : text.slice(0, Math.ceil((most - 1) / 2)) + '…' + text.slice(-Math.floor((most - 1) / 2));
  };

  const drawAxes = (options, x, y, area) => {
    const parts = [];
    for (const tick of y.ticks) {
      parts.push(svg('path', { class: 'grid', d: `M${area.left} ${y.at(tick)}H${area.right}` }),
        svg('text', { class: 'tick', x: area.left - 8, y: y.at(tick) + 4, 'text-anchor': 'end' }, y.text(tick)));
    }
    for (const tick of x.ticks.filter((value) => x.text(value) !== '')) {
      if (options.x.grid) parts.push(svg('path', { class: 'grid', d: `M${x.at(tick)} ${area.top}V${area.bottom}` }));
      parts.push(svg('text', { class: 'tick', x: x.at(tick), y: area.bottom + 18, 'text-anchor': 'middle' }, x.text(tick)));
    }
    (options.x.bands || []).forEach((name, i) => parts.push(
      svg('text', { class: 'tick', x: x.at(i + 0.5), y: area.bottom + 18, 'text-anchor': 'middle' }, name)));
    // The name of a band stands above its content, so that a long one has the whole width.
    (options.y.bands || []).forEach((name, i) => parts.push(
      svg('text', { class: 'band', x: area.left, y: y.at(i) + 14 }, fitted(name, area.right - area.left))));
    if (options.x.label) {
      parts.push(svg('text', { class: 'axis', x: (area.left + area.right) / 2, y: area.bottom + 38, 'text-anchor': 'middle' }, fitted(options.x.label, area.right - area.left)));
    }
    if (options.y.label) {
      const middle = (area.top + area.bottom) / 2;
      parts.push(svg('text', { class: 'axis', x: 12, y: middle, 'text-anchor': 'middle', transform: `rotate(-90 12 ${middle})` }, fitted(options.y.label, area.bottom - area.top)));
    }
    parts.push(svg('path', { class: 'frame', d: `M${area.left} ${area.bottom}H${area.right}` }));
    return svg('g', { 'aria-hidden': 'true' }, parts);
  };

  const drawPlot = (options, width) => {
    const height = options.square ? Math.min(width, 420) : options.height;
    const rough = scaleOf(options.y, height, 0, height / 45);
    const widest = Math.max(0, ...rough.ticks.map((tick) => rough.text(tick).length));
    const area = { left: (widest ? widest * kCharacter + 12 : 4) + (options.y.label ? 18 : 0), top: kTop, right: width - kRight,
      bottom: height - (options.x.label ? 46 : 26) };
    const x = scaleOf(options.x, area.left, area.right, Math.max(2, (area.right - area.left) / 80));
    const y = options.y.kind === 'bands' ? scaleOf(options.y, area.top, area.bottom, 0)
      : scaleOf(options.y, area.bottom, area.top, height / 45);
    const marks = svg('g', { class: 'marks' });
    const spoken = [];
    for (const mark of options.marks) {
      const node = shapes[mark.shape](mark, x.at, y.at);
      node.setAttribute('class', ['mark', mark.shape, mark.series === undefined ? '' : 'series-' + mark.series % 8, mark.class || ''].join(' ').trim());
      if (mark.text) {
        node.setAttribute('role', 'img');
        node.setAttribute('aria-label', mark.text);
        node.setAttribute('tabindex', spoken.length === 0 ? '0' : '-1');
        spoken.push({ node, mark });
      } else {
        node.setAttribute('aria-hidden', 'true');
      }
      marks.append(node);
    }
    const picture = svg('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'group', 'aria-label': options.title },
      drawAxes(options, x, y, area), marks);
    return { picture, spoken };
  };

  // The text about the mark under the pointer or the focus.
  const addTooltip = (frame, tip, picture, spoken) => {
    const show = (entry) => {
      const box = entry.node.getBoundingClientRect(), around = frame.getBoundingClientRect();
      tip.textContent = entry.mark.text;
      tip.hidden = false;
      const left = box.left + box.width / 2 - around.left - tip.offsetWidth / 2;
      tip.style.left = Math.max(0, Math.min(left, around.width - tip.offsetWidth)) + 'px';
      const above = box.top - around.top - tip.offsetHeight - 6;
      tip.style.top = (above < 0 ? box.bottom - around.top + 6 : above) + 'px';
      for (const other of spoken) other.node.classList.toggle('active', other === entry);
    };
    const hide = () => {
      tip.hidden = true;
      for (const { node } of spoken) node.classList.remove('active');
    };
    const distance = (node, event) => {
      const box = node.getBoundingClientRect();
      return Math.hypot(Math.max(box.left - event.clientX, 0, event.clientX - box.right),
        Math.max(box.top - event.clientY, 0, event.clientY - box.bottom));
    };
    const kReach = 16;  // pixels; fingers and small points
    const point = (event) => {
      let nearest = null, least = kReach;
      for (const entry of spoken) {
        const away = distance(entry.node, event);
        if (away < least) [nearest, least] = [entry, away];
      }
      if (nearest) show(nearest); else hide();
    };
    picture.addEventListener('pointermove', point);
    picture.addEventListener('pointerdown', point);
    picture.addEventListener('pointerleave', hide);
    const focus = (index) => {
      spoken.forEach(({ node }, i) => node.setAttribute('tabindex', i === index ? '0' : '-1'));
      spoken[index].node.focus();
    };
    picture.addEventListener('keydown', (event) => {
      const at = spoken.findIndex(({ node }) => node === document.activeElement);
      const moves = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: spoken.length - 1 };
      if (event.key === 'Escape') hide();
      if (at < 0 || moves[event.key] === undefined) return;
      event.preventDefault();
      focus(Math.max(0, Math.min(moves[event.key], spoken.length - 1)));
    });
    spoken.forEach((entry) => {
      entry.node.addEventListener('focus', () => show(entry));
      entry.node.addEventListener('blur', hide);
    });
  };

  // options: { title, about, x, y: axes, marks, height or square, legend: [{ series, text }], values: the table of the
  // plot's numbers, or where they stand }. marks: [{ shape, series: colour, text: what is said of it, ... }] with the
  // places that `shapes` names. Returns the element; its update(options) draws it anew.
  tessera.plot = (options) => {
    const frame = element('div', { class: 'frame' });
    const tip = element('div', { class: 'tip', 'aria-hidden': 'true', hidden: true });
    const figure = element('figure', { class: 'plot' });
    let width = 640;
    const draw = () => {
      const held = figure.contains(document.activeElement) && frame.contains(document.activeElement);
      const { picture, spoken } = drawPlot(options, width);
      addTooltip(frame, tip, picture, spoken);
      tip.hidden = true;
      frame.replaceChildren(picture, tip);
      if (held && spoken.length > 0) spoken[0].node.focus();
    };
    const build = () => {
      const values = options.values;
      figure.replaceChildren(element('figcaption', {}, element('strong', {}, options.title), options.about ? [' ', options.about] : null),
        options.legend ? element('ul', { class: 'legend' }, options.legend.map((entry) =>
          element('li', {}, element('span', { class: 'key series-' + entry.series % 8 + (entry.class ? ' ' + entry.class : '') }), entry.text))) : '',
        frame,
        typeof values === 'string' ? element('p', { class: 'note' }, values)
          : values ? element('details', {}, element('summary', {}, 'The numbers'), values) : '');
      draw();
    };
    build();
    new ResizeObserver((entries) => {
      const now = Math.floor(entries[0].contentRect.width);
      if (now < 1 || now === width) return;
      width = now;
      requestAnimationFrame(draw);  // drawing in the callback would resize the observed element
    }).observe(frame);
    figure.update = (others) => { options = others; build(); };
    return figure;
  };

  // ---------------------------------------------------------------- common plots

  // Bars along x, one a row. rows: [{ name, value, low, high, series, text, shown }]; low and high, if any, are an interval.
  tessera.bars = (options) => {
    const kRow = 46, rows = options.rows;
    const most = options.most || Math.max(1e-9, ...rows.map((row) => Math.max(row.value, row.high || 0))) * 1.12;
    const marks = rows.flatMap((row, i) => [
      { shape: 'bar', x0: 0, x1: row.value, y0: i + 0.42, y1: i + 0.92, series: row.series, class: row.class, text: row.text || row.name + ': ' + row.shown },
      row.low === undefined ? null : { shape: 'interval', x0: row.low, x1: row.high, y: i + 0.67 },
      { shape: 'label', x: Math.max(row.value, row.high || 0), y: i + 0.67, dx: 6, dy: 4,
        label: row.shown, class: 'value' }]).filter(Boolean);
    return { ...options, height: rows.length * kRow + 56, marks, x: { label: options.unit, from: 0, to: most, format: options.format, grid: true },
      y: { kind: 'bands', bands: rows.map((row) => row.name) } };
  };
})();
