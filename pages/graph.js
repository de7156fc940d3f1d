// A network as a drawing that is moved and zoomed by mouse, finger and keyboard: layers from top to bottom in the order
// of execution, blocks closed or open, shortcuts beside them.
'use strict';

(() => {
  const { element, svg } = tessera;
  const kWidth = 200, kHeight = 46, kGapX = 26, kGapY = 26, kLane = 26;
  const kMargin = 12, kTools = 52;  // around the drawing; above and below, so that the buttons hide no box

  // ---------------------------------------------------------------- what is shown

  // Layers with the same shown part of their path become one box. Paths are shown down to `depth`, and deeper in opened
  // blocks.
  const boxesOf = (layers, depth, opened) => {
    const shownPart = (path) => {
      const parts = path.split('.');
      for (let n = 1; n < parts.length; ++n) {
        const prefix = parts.slice(0, n).join('.');
        if (n >= depth && !opened.has(prefix)) return prefix;
      }
      return path;
    };
    const boxes = new Map([['input', { id: 'input', layers: [], inputs: new Set() }]]), boxOf = new Map([['input', 'input']]);
    for (const layer of layers) {
      const id = shownPart(layer.path);
      if (!boxes.has(id)) boxes.set(id, { id, layers: [], inputs: new Set() });
      const box = boxes.get(id);
      box.layers.push(layer);
      boxOf.set(layer.path, id);
      for (const input of layer.inputs) if (boxOf.get(input) !== id) box.inputs.add(boxOf.get(input));
    }
    return [...boxes.values()];
  };

  // Rows by the longest way from the picture; boxes of one row beside each other.
  const place = (boxes) => {
    const byId = new Map(boxes.map((box) => [box.id, box])), columns = [];
    for (const box of boxes) {
      box.row = Math.max(-1, ...[...box.inputs].map((id) => byId.get(id).row)) + 1;
      box.column = columns[box.row] || 0;
      columns[box.row] = box.column + 1;
      box.x = box.column * (kWidth + kGapX);
      box.y = box.row * (kHeight + kGapY);
    }
    const right = (from, to) => Math.max(1, ...columns.slice(from, to + 1)) * (kWidth + kGapX) - kGapX;
    const edges = boxes.flatMap((box) => [...box.inputs].map((id) => {
      const from = byId.get(id);
      if (box.row === from.row + 1) {
        const x0 = from.x + kWidth / 2, y0 = from.y + kHeight, x1 = box.x + kWidth / 2;
        return { d: `M${x0} ${y0}C${x0} ${y0 + kGapY / 2} ${x1} ${box.y - kGapY / 2} ${x1} ${box.y}` };
      }
      const lane = right(from.row, box.row) + kLane, y0 = from.y + kHeight / 2, y1 = box.y + kHeight / 2, bend = 18;
      return { shortcut: true, d: `M${from.x + kWidth} ${y0}H${lane - bend}Q${lane} ${y0} ${lane} ${y0 + bend}V${y1 - bend}Q${lane} ${y1} ${lane - bend} ${y1}H${box.x + kWidth}` };
    }));
    return { edges, width: right(0, columns.length) + kLane + 10, height: columns.length * (kHeight + kGapY) - kGapY };
  };

  // ---------------------------------------------------------------- moving and zooming

  const addNavigation = (picture, world, size) => {
    const view = { scale: 1, x: 0, y: 0 };
    const box = () => picture.getBoundingClientRect();
    const apply = () => {
      const { width, height } = box();
      const keep = (at, world, screen, margin) => world + 2 * margin <= screen ? (screen - world) / 2 : Math.min(margin, Math.max(screen - world - margin, at));
      view.x = keep(view.x, size().width * view.scale, width, kMargin);
      view.y = keep(view.y, size().height * view.scale, height, kTools);
      world.setAttribute('transform', `translate(${view.x} ${view.y}) scale(${view.scale})`);
    };
    const zoom = (factor, x = box().width / 2, y = box().height / 2) => {
      const scale = Math.min(3, Math.max(0.04, view.scale * factor)), by = scale / view.scale;
      view.x = x - (x - view.x) * by;
      view.y = y - (y - view.y) * by;
      view.scale = scale;
      apply();
    };
    const move = (dx, dy) => {
      const before = [view.x, view.y];
      view.x += dx;
      view.y += dy;
      apply();
      return view.x !== before[0] || view.y !== before[1];
    };
    // The width in view, from the top; `whole`: all of it.
    const fit = (whole) => {
      const { width, height } = box(), wide = (width - 2 * kMargin) / size().width;
      view.scale = Math.min(1, wide, whole ? (height - 2 * kTools) / size().height : wide);
      view.x = view.y = 1e6;
      apply();
    };
    const reveal = (place) => {
      const { width, height } = box(), margin = kTools;
      const left = view.x + place.x * view.scale, top = view.y + place.y * view.scale;
      const right = left + kWidth * view.scale, bottom = top + kHeight * view.scale;
      move(left < margin ? margin - left : right > width - margin ? width - margin - right : 0,
        top < margin ? margin - top : bottom > height - margin ? height - margin - bottom : 0);
    };

    // One pointer moves, two move and zoom. A pointer that has moved does not click.
    const pointers = new Map();
    let moved = 0;
    const middle = () => {
      const all = [...pointers.values()], n = all.length || 1;
      const x = all.reduce((sum, p) => sum + p.x, 0) / n, y = all.reduce((sum, p) => sum + p.y, 0) / n;
      return { x, y, spread: all.length < 2 ? 0 : Math.hypot(all[0].x - all[1].x, all[0].y - all[1].y) };
    };
    picture.addEventListener('pointerdown', (event) => {
      if (pointers.size === 0) moved = 0;
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    });
    picture.addEventListener('pointermove', (event) => {
      if (!pointers.has(event.pointerId)) return;
      const before = middle();
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      const after = middle();
      moved += Math.hypot(after.x - before.x, after.y - before.y) + Math.abs(after.spread - before.spread);
      if (moved > 4 && !picture.hasPointerCapture(event.pointerId)) picture.setPointerCapture(event.pointerId);
      if (before.spread > 0) zoom(after.spread / before.spread, after.x - box().left, after.y - box().top);
      if (moved > 4) move(after.x - before.x, after.y - before.y);
    });
    for (const end of ['pointerup', 'pointercancel', 'pointerleave']) picture.addEventListener(end, (event) => pointers.delete(event.pointerId));
    picture.addEventListener('click', (event) => { if (moved > 4) event.stopPropagation(); }, true);
    picture.addEventListener('wheel', (event) => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        zoom(Math.exp(-event.deltaY * 0.01), event.clientX - box().left, event.clientY - box().top);
      } else if (move(-event.deltaX, -event.deltaY)) {
        event.preventDefault();  // at its end the page scrolls on
      }
    }, { passive: false });
    return { zoom, fit, reveal, apply };
  };

  // ---------------------------------------------------------------- the drawing

  // options: { title, layers: () => [{ path, inputs, ... }], depth, kind: layers => colour, lines: (box) => [text, text],
  // speak: box => what is said of it, select: box => void }. Returns the element; its update() draws anew, open(id) and
  // show(id) change what is seen, shown() gives the boxes.
  tessera.graph = (options) => {
    let opened = new Set(), depth = options.depth, boxes = [], nodes = [], current = 0, chosen = null, layout = { width: 1, height: 1 };
    const world = svg('g');
    const picture = svg('svg', { class: 'network', role: 'group', 'aria-label': options.title }, world);
    const view = addNavigation(picture, world, () => layout);

    const focus = (index) => {
      nodes.forEach((node, i) => node.setAttribute('tabindex', i === index ? '0' : '-1'));
      current = index;
      view.reveal(boxes[index]);
      nodes[index].focus({ preventScroll: true });
    };
    const choose = (index) => {
      chosen = boxes[index].id;
      nodes.forEach((node, i) => node.classList.toggle('chosen', i === index));
      options.select(boxes[index]);
    };
    const draw = () => {
      const held = world.contains(document.activeElement);
      boxes = boxesOf(options.layers(), depth, opened);
      layout = { ...layout, ...place(boxes) };
      nodes = boxes.map((box, index) => {
        const [first, second] = options.lines(box);
        return svg('g', { class: `node ${options.kind(box)}${box.layers.length > 1 ? ' group' : ''}${box.id === chosen ? ' chosen' : ''}`,
          transform: `translate(${box.x} ${box.y})`, role: 'button', tabindex: '-1', 'aria-label': options.speak(box), 'data-id': box.id,
          click: () => { focus(index); choose(index); }, dblclick: () => graph.open(box.id) },
        box.layers.length > 1 ? svg('rect', { class: 'behind', x: 5, y: 5, width: kWidth, height: kHeight, rx: 7 }) : null,
        svg('rect', { class: 'body', width: kWidth, height: kHeight, rx: 7 }), svg('rect', { class: 'stripe', width: 6, height: kHeight, rx: 3 }),
        svg('text', { class: 'first', x: 15, y: 19 }, first), svg('text', { class: 'second', x: 15, y: 36 }, second));
      });
      world.replaceChildren(...layout.edges.map((edge) => svg('path', { class: edge.shortcut ? 'edge shortcut' : 'edge', d: edge.d, 'aria-hidden': 'true' })), ...nodes);
      current = Math.max(0, boxes.findIndex((box) => box.id === chosen));
      if (held) focus(current); else nodes[current].setAttribute('tabindex', '0');
    };
    picture.addEventListener('keydown', (event) => {
      const last = nodes.length - 1;
      const moves = { ArrowDown: current + 1, ArrowRight: current + 1, ArrowUp: current - 1, ArrowLeft: current - 1, Home: 0, End: last };
      const acts = { '+': () => view.zoom(1.25), '=': () => view.zoom(1.25), '-': () => view.zoom(0.8), 0: () => view.fit(true),
        Enter: () => choose(current), ' ': () => choose(current) };
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (moves[event.key] !== undefined) focus(Math.max(0, Math.min(moves[event.key], last)));
      else if (acts[event.key]) acts[event.key]();
      else return;
      event.preventDefault();
    });
    const tool = (text, label, act) => element('button', { type: 'button', 'aria-label': label, title: label, click: act }, text);
    const graph = element('div', { class: 'graph' },
      element('div', { class: 'tools', role: 'toolbar', 'aria-label': 'Zoom' }, tool('+', 'Closer', () => view.zoom(1.25)), tool('−', 'Farther', () => view.zoom(0.8)),
        tool('Width', 'The whole width', () => view.fit(false)), tool('All', 'The whole network', () => view.fit(true))), picture);
    graph.update = (to) => {
      if (to !== undefined) [depth, opened] = [to, new Set()];
      draw();
      view.fit(false);
    };
    // Opens a closed block, one part of the path deeper.
    graph.open = (id) => {
      const box = boxes.find((one) => one.id === id);
      if (!box || box.layers.length < 2) return;
      opened.add(id);
      draw();
      view.apply();
    };
    // Opens a layer's blocks and scrolls to it.
    graph.show = (path) => {
      const parts = path.split('.');
      for (let n = 1; n < parts.length; ++n) opened.add(parts.slice(0, n).join('.'));
      draw();
      view.apply();
      const index = boxes.findIndex((box) => box.id === path);
      if (index >= 0) { focus(index); choose(index); }
    };
    graph.shown = () => boxes;
    draw();
    let width = 0;
    new ResizeObserver((entries) => {
      if (entries[0].contentRect.width === width) return;  // a phone's bars come and go above and below
      width = entries[0].contentRect.width;
      view.fit(false);
    }).observe(picture);
    return graph;
  };
})();
