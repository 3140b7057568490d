"use strict";
const NS = "http://www.w3.org/2000/svg";
const by = id => document.getElementById(id);
const all = (css, root = document) => [...root.querySelectorAll(css)];
const facts = JSON.parse(by("facts")?.textContent ?? "{}");
const view = {log: false, calm: false, time: false, smooth: 0, range: null, at: null, shown: null};
const charts = [];

function make(tag, set = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(set)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

function draw(tag, set, text) {
  const made = document.createElementNS(NS, tag);
  for (const [key, value] of Object.entries(set)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/* numbers */
function number(v) {
  if (v === null || v === undefined) return "–";
  const size = Math.abs(v);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return v.toExponential(2).replace(/\.?0*e\+?/, "e").replace("-", "−");
  const digits = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3;
  return v.toFixed(digits).replace("-", "−");
}

function brief(v) {
  const size = Math.abs(v), short = (x, unit) => `${+x.toPrecision(4)}${unit}`;
  const text = size >= 1e9 || (size > 0 && size < 1e-3) ? v.toExponential(2).replace(/\.?0*e\+?/, "e")
    : size >= 1e6 ? short(v / 1e6, "M") : size >= 1e4 ? short(v / 1e3, "k") : `${+v.toPrecision(6)}`;
  return text.replace(/-/g, "−");
}

function duration(s) {
  if (s < 60) return `${+s.toFixed(s < 10 ? 1 : 0)} s`;
  const minutes = Math.round(s / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
}

function ticks(from, to, count) {
  const rough = (to - from) / Math.max(1, count), power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find(k => k * power >= rough * .999) * power;
  const found = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9 && found.length < 30; i++) found.push(i * step);
  return found;
}

const LAPS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 172800, 604800];
function laps(from, to, count) {
  const step = LAPS.find(lap => lap >= (to - from) / count) ?? (to - from) / count, found = [];
  if (to - from < 3) return ticks(from, to, count);
  for (let v = Math.ceil(from / step) * step; v <= to; v += step) found.push(v);
  return found;
}

function decades(from, to) {
  const found = [], low = Math.floor(from), high = Math.ceil(to), stride = Math.ceil((high - low) / 6);
  for (let e = low; e <= high; e += stride)
    for (const k of stride === 1 && to - from < 2.2 ? [1, 2, 5] : [1]) {
      const v = Math.log10(k) + e;
      if (v >= from - 1e-9 && v <= to + 1e-9) found.push(v);
    }
  return found.length > 1 ? found : ticks(from, to, 3);
}

/* the index whose step is nearest, by bisection */
function nearest(xs, x) {
  let low = 0, high = xs.length - 1;
  while (high - low > 1) { const mid = (low + high) >> 1; if (xs[mid] < x) low = mid; else high = mid; }
  return x - xs[low] <= xs[high] - x ? low : high;
}

/* means that forget, without the pull to zero at the start */
function smoothed(ys, weight) {
  let sum = 0, total = 0;
  return ys.map(y => {
    if (y === null) return null;
    sum = weight * sum + (1 - weight) * y; total = weight * total + 1 - weight;
    return sum / total;
  });
}

class Chart {
  constructor(root, spec) {
    Object.assign(this, {root, spec, axis: facts.axes[spec.axis], hidden: new Set()});
    this.plot = root.querySelector(".plot");
    this.legend = root.querySelector(".legend");
    this.tip = make("div", {class: "tip", hidden: ""});
    this.plot.tabIndex = 0;
    this.svg = draw("svg", {"aria-hidden": "true"});
    this.plot.append(this.svg, this.tip);
    this.outputs = spec.series.map((one, i) => {
      const output = make("output"), button = make("button", {type: "button", "aria-pressed": "true", class: `c${one.color}`, title: `show or hide ${one.name}`},
        make("i"), make("span", {}, one.name === spec.title ? "" : one.name), output);
      button.addEventListener("click", () => {
        if (!this.hidden.delete(i)) this.hidden.add(i);
        button.setAttribute("aria-pressed", String(!this.hidden.has(i)));
        this.draw();
      });
      this.legend.append(button);
      return output;
    });
    this.listen();
  }

  listen() {
    const at = event => this.back(event.clientX - this.plot.getBoundingClientRect().left);
    this.plot.addEventListener("pointerdown", event => {
      if (event.pointerType === "mouse" && event.button === 0) this.from = event.clientX;
      point(at(event), this);
    });
    this.plot.addEventListener("pointermove", event => {
      point(at(event), this);
      if (this.from !== undefined) this.drag(event.clientX);
    });
    this.plot.addEventListener("pointerup", event => {
      const from = this.from; this.from = undefined; this.band?.remove();
      if (from !== undefined && Math.abs(event.clientX - from) > 8) {
        const left = this.plot.getBoundingClientRect().left;
        zoom([from, event.clientX].map(x => this.back(x - left)).sort((a, b) => a - b));
      } else show(at(event));
    });
    this.plot.addEventListener("pointerleave", event => {
      if (event.pointerType !== "touch") { this.from = undefined; this.band?.remove(); point(null); }
    });
    this.plot.addEventListener("dblclick", () => zoom(null));
    this.plot.addEventListener("blur", () => point(null));
    this.plot.addEventListener("keydown", event => {
      const way = {ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -1e9, End: 1e9}[event.key];
      if (event.key === "Escape") { point(null); zoom(null); }
      if (way === undefined) return;
      event.preventDefault();
      const xs = this.axis.x, now = view.at === null ? xs.length - 1 : nearest(xs, view.at);
      point(xs[Math.max(0, Math.min(xs.length - 1, now + way))], this);
    });
  }

  drag(x) {
    this.band?.remove();
    const left = this.plot.getBoundingClientRect().left, [a, b] = [this.from - left, x - left].sort((p, q) => p - q);
    this.band = draw("rect", {class: "select", x: a, width: b - a, y: this.top, height: this.bottom - this.top});
    this.svg.append(this.band);
  }

  get xs() { return view.time && this.axis.t ? this.axis.t : this.axis.x; }
  across(x) { return this.left + (x - this.x0) / (this.x1 - this.x0) * (this.right - this.left); }
  up(y) { return this.bottom - ((this.logged ? Math.log10(y) : y) - this.y0) / (this.y1 - this.y0) * (this.bottom - this.top); }
  /* the step under a pixel */
  back(pixel) {
    const x = this.x0 + (pixel - this.left) / (this.right - this.left) * (this.x1 - this.x0);
    return this.axis.x[nearest(this.xs, x)];
  }

  domain() {
    const {x} = this.axis, xs = this.xs;
    this.first = 0; this.end = x.length - 1;
    if (view.range) {
      this.first = Math.max(0, nearest(x, view.range[0])); this.end = nearest(x, view.range[1]);
      if (this.end <= this.first) { this.first = Math.max(0, this.first - 1); this.end = Math.min(x.length - 1, this.first + 2); }
    }
    [this.x0, this.x1] = [xs[this.first], xs[this.end]];
    if (!view.range && !view.time && this.x0 < this.x1 * .1) this.x0 = 0;
    if (this.x1 <= this.x0) [this.x0, this.x1] = [this.x0 - 1, this.x1 + 1];
    const inside = ys => ys.slice(this.first, this.end + 1).filter(y => y !== null);
    const seen = this.spec.series.filter((_, i) => !this.hidden.has(i)), extremes = [];
    let positive = true;
    for (const one of seen) {
      const low = inside(one.low ?? one.y), high = inside(one.high ?? one.y);
      if (low.some(y => y <= 0)) positive = false;
      if (view.calm && !one.points) {
        const sorted = inside(one.y).sort((a, b) => a - b), cut = q => sorted[Math.round(q * (sorted.length - 1))];
        if (sorted.length) extremes.push(cut(.02), cut(.98));
      } else extremes.push(...low, ...high);
      if (one.floor !== undefined) { extremes.push(one.floor); if (one.floor <= 0) positive = false; }
      const least = Math.min(...low), most = Math.max(...high); /* limits that are not far off are seen */
      for (const limit of Object.values(one.limits ?? {}))
        if (limit !== null && (least === most || (limit >= 2 * least - most && limit <= 3 * most))) extremes.push(limit);
    }
    this.logged = view.log && positive && extremes.length > 0;
    const scaled = this.logged ? extremes.map(Math.log10) : extremes;
    let low = scaled.reduce((a, b) => Math.min(a, b), Infinity), high = scaled.reduce((a, b) => Math.max(a, b), -Infinity);
    if (low > high) [low, high] = [0, 1];
    if (high - low < 1e-9 * Math.max(1e-9, Math.abs(high))) {
      const room = this.logged ? .5 : Math.abs(high) * .2 || 1;
      [low, high] = [low - room, high + room];
    }
    if (!this.logged && low > 0 && (this.spec.zero || low < (high - low) * .6)) low = 0;
    const room = (high - low) * .05;
    this.y0 = low === 0 ? 0 : low - room; this.y1 = high + room;
  }

  draw() {
    const width = this.plot.clientWidth, height = this.plot.clientHeight;
    if (!width) return;
    this.domain();
    this.top = 8; this.bottom = height - 24; this.right = width - 10;
    const values = this.logged ? decades(this.y0, this.y1) : ticks(this.y0, this.y1, 4);
    const labels = values.map(v => brief(this.logged ? 10 ** v : Math.abs(v) < (this.y1 - this.y0) * 1e-9 ? 0 : v));
    this.left = Math.max(30, Math.max(...labels.map(l => l.length)) * 6.4 + 12);
    const clip = `clip${this.spec.id}`, inside = draw("g", {"clip-path": `url(#${clip})`});
    const frame = draw("clipPath", {id: clip});
    frame.append(draw("rect", {x: this.left - 4, y: this.top - 5, width: this.right - this.left + 8, height: this.bottom - this.top + 9}));
    const rows = values.flatMap((v, i) => {
      const y = this.bottom - (v - this.y0) / (this.y1 - this.y0) * (this.bottom - this.top);
      return [draw("line", {class: v === 0 && !this.logged ? "zero" : "grid", x1: this.left, x2: this.right, y1: y, y2: y}),
        draw("text", {x: this.left - 7, y: y + 4, "text-anchor": "end"}, labels[i])];
    });
    const timed = view.time && this.axis.t, count = Math.max(2, Math.round((width - this.left) / 92));
    const columns = (timed ? laps : ticks)(this.x0, this.x1, count).map(v => {
      const x = this.across(v), anchor = x > this.right - 14 ? "end" : x < this.left + 14 ? "start" : "middle";
      return draw("text", {x: anchor === "end" ? this.right : anchor === "start" ? this.left : x, y: height - 6, "text-anchor": anchor}, timed ? duration(v) : brief(v));
    });
    this.spec.series.forEach((one, i) => this.hidden.has(i) || this.line(inside, one));
    this.lights(inside);
    this.over = draw("g", {});
    this.svg.replaceChildren(frame, ...rows, ...columns, inside, this.over);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.cursor();
  }

  line(into, one) {
    const group = draw("g", {class: `c${one.color}`}), xs = this.xs;
    const smooth = view.smooth > 0 && !one.points, whole = one.low && !one.points;
    const trace = ys => {
      let path = "";
      for (let i = this.first; i <= this.end; i++)
        if (ys[i] !== null) path += `${path ? "L" : "M"}${this.across(xs[i]).toFixed(1)} ${this.up(ys[i]).toFixed(1)}`;
      return path;
    };
    if (one.low && trace(one.low)) {
      const back = [];
      for (let i = this.end; i >= this.first; i--)
        if (one.low[i] !== null) back.push(`L${this.across(xs[i]).toFixed(1)} ${this.up(one.low[i]).toFixed(1)}`);
      group.append(draw("path", {class: smooth ? "area raw" : "area", d: `${trace(one.high)}${back.join("")}Z`}));
    }
    if (smooth) group.append(draw("path", {class: "line raw", d: trace(one.y)}));
    group.append(draw("path", {class: "line", d: trace(smooth ? smoothed(one.y, view.smooth) : one.y)}));
    const few = one.y.filter(y => y !== null).length < 3;
    for (let i = this.first; (one.points || few) && i <= this.end; i++) {
      if (one.y[i] === null) continue;
      const x = this.across(xs[i]);
      if (one.points && one.low?.[i] != null)
        group.append(draw("line", {class: "whisker", x1: x, x2: x, y1: this.up(one.low[i]), y2: this.up(one.high[i])}));
      if (this.end - this.first < 120 || few) group.append(draw("circle", {class: "dot", cx: x, cy: this.up(one.y[i]), r: i === one.best ? 5 : 3.4}));
    }
    if (one.floor !== undefined && !(this.logged && one.floor <= 0)) {
      const y = this.up(one.floor);
      group.append(draw("line", {class: "floor", x1: this.left, x2: this.right, y1: y, y2: y}),
        draw("text", {class: "floored", x: this.left + 4, y: y - 5}, `real ${number(one.floor)}`));
    }
    for (const [light, limit] of Object.entries(one.limits ?? {})) {
      if (limit === null || (this.logged && limit <= 0)) continue;
      const y = this.up(limit);
      if (y < this.top - 4 || y > this.bottom + 1) continue;
      group.append(draw("line", {class: `floor ${light}`, x1: this.left, x2: this.right, y1: y, y2: y}),
        draw("text", {class: `floored ${light}`, x: this.left + 4, y: y - 4}, `${light} ${number(limit)}`));
    }
    if (one.broke !== undefined) {
      const x = this.across(xs[nearest(this.axis.x, one.broke)]), right = x > (this.left + this.right) / 2;
      group.append(draw("line", {class: "broke", x1: x, x2: x, y1: this.top, y2: this.bottom}),
        draw("text", {class: "broke", x: right ? x - 5 : x + 5, y: this.top + 11 + 14 * (one.nth ?? 0), "text-anchor": right ? "end" : "start"}, `${one.name}: not finite from step ${one.broke}`));
    }
    into.append(group);
  }

  /* what was noticed, under the curve; green is not shown */
  lights(into) {
    for (const [from, to, light] of facts.lights ?? []) {
      const ends = [from, to].map(step => this.across(this.xs[nearest(this.axis.x, step)]));
      into.append(draw("rect", {class: `fill ${light}`, x: ends[0], width: Math.max(2, ends[1] - ends[0]), y: this.bottom, height: 3}));
    }
  }

  cursor() {
    if (!this.over) return;
    const on = view.at !== null, {x} = this.axis, i = on ? nearest(x, view.at) : x.length - 1;
    const parts = [], mark = (step, css) => {
      const at = this.across(this.xs[nearest(x, step)]);
      if (at >= this.left - 1 && at <= this.right + 1) parts.push(draw("line", {class: css, x1: at, x2: at, y1: this.top, y2: this.bottom}));
    };
    if (view.shown !== null && view.shown !== facts.samples.at(-1).step) mark(view.shown, "sampled");
    if (on) mark(x[i], "cross");
    this.spec.series.forEach((one, n) => {
      let at = i;
      while (at > 0 && one.y[at] === null) at--;
      this.outputs[n].textContent = number(one.y[at]);
      if (on && !this.hidden.has(n) && one.y[at] !== null && at >= this.first && at <= this.end)
        parts.push(draw("circle", {class: `dot c${one.color}`, cx: this.across(this.xs[at]), cy: this.up(one.y[at]), r: 3.6}));
    });
    this.over.replaceChildren(...parts);
    this.readout(on && view.on === this ? i : null);
  }

  readout(i) {
    this.tip.hidden = i === null;
    if (i === null) return;
    const {x, t} = this.axis, lines = [make("b", {}, `step ${x[i].toLocaleString("en")}`)];
    if (this.axis.each > 1 && i > 0) lines.push(make("small", {}, ` (from ${(x[i - 1] + 1).toLocaleString("en")})`));
    if (t) lines.push(make("small", {}, ` · ${duration(t[i])}`));
    this.spec.series.forEach((one, n) => {
      if (this.hidden.has(n) || one.y[i] === null) return;
      const row = make("div", {class: `c${one.color}`}, make("i"), one.name, make("span", {}, number(one.y[i])));
      if (one.low && one.low[i] !== one.high[i]) row.append(make("small", {}, `${number(one.low[i])} … ${number(one.high[i])}`));
      lines.push(row);
    });
    this.tip.replaceChildren(...lines);
    const at = this.across(this.xs[i]), middle = (this.left + this.right) / 2;
    this.tip.style.left = at > middle ? "auto" : `${at + 12}px`;
    this.tip.style.right = at > middle ? `${this.plot.clientWidth - at + 12}px` : "auto";
  }
}

function point(step, chart = null) { view.at = step; view.on = chart; charts.forEach(one => one.cursor()); }
function redraw() { charts.forEach(one => one.draw()); }

function zoom(range) {
  view.range = range;
  if (by("whole")) by("whole").hidden = !range;
  redraw();
}

/* the picture of the nearest step, everywhere */
let show = () => {};

function player() {
  const samples = facts.samples ?? [], slider = by("slider"), picture = by("sample");
  if (!slider || !picture) return;
  const thumbs = all(".strip button");
  let timer = null;
  const go = i => {
    const one = samples[i];
    slider.value = i; slider.setAttribute("aria-valuetext", `step ${one.step}`);
    picture.src = one.url; picture.alt = `samples at step ${one.step}`; picture.dataset.step = one.step;
    by("sample-step").textContent = `step ${one.step.toLocaleString("en")}`;
    for (const thumb of thumbs) thumb.setAttribute("aria-pressed", String(+thumb.value === i));
    view.shown = one.step;
    charts.forEach(chart => chart.cursor());
  };
  const stop = () => {
    clearInterval(timer); timer = null;
    by("play").setAttribute("aria-pressed", "false"); by("play").setAttribute("aria-label", "play");
    all("#play path").forEach((path, i) => { path.style.display = i ? "none" : ""; });
  };
  const play = () => {
    if (timer !== null) return stop();
    if (+slider.value === samples.length - 1) go(0);
    by("play").setAttribute("aria-pressed", "true"); by("play").setAttribute("aria-label", "stop");
    all("#play path").forEach((path, i) => { path.style.display = i ? "" : "none"; });
    timer = setInterval(() => (+slider.value < samples.length - 1 ? go(+slider.value + 1) : stop()), Math.max(80, Math.min(500, 9000 / samples.length)));
  };
  const move = by_ => { stop(); go(Math.max(0, Math.min(samples.length - 1, +slider.value + by_))); };
  slider.addEventListener("input", () => { stop(); go(+slider.value); });
  by("play").addEventListener("click", play);
  by("before").addEventListener("click", () => move(-1));
  by("after").addEventListener("click", () => move(1));
  for (const thumb of thumbs) {
    thumb.querySelector("img").src = samples[+thumb.value].url;
    thumb.addEventListener("click", () => { stop(); go(+thumb.value); });
  }
  show = step => { if (step !== null && timer === null && samples.length) go(nearest(samples.map(one => one.step), step)); };
  stop();
  if (samples.length) go(samples.length - 1);
}

function controls() {
  for (const name of ["log", "calm", "time"])
    by(name)?.addEventListener("click", event => {
      view[name] = !view[name];
      event.currentTarget.setAttribute("aria-pressed", String(view[name]));
      redraw();
    });
  by("smooth")?.addEventListener("input", event => {
    view.smooth = +event.target.value / 100;
    by("smooth-told").textContent = view.smooth ? view.smooth.toFixed(2) : "off";
    redraw();
  });
  by("whole")?.addEventListener("click", () => zoom(null));
}

function sorting() {
  for (const button of all("th button")) button.addEventListener("click", () => {
    const head = button.parentElement, body = head.closest("table").tBodies[0], column = head.cellIndex;
    const ways = {ascending: "descending", descending: "ascending"};
    const way = ways[head.getAttribute("aria-sort")] ?? head.dataset.first ?? "ascending";
    all("th", head.parentElement).forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", way);
    const key = row => row.cells[column].dataset.v ?? row.cells[column].textContent;
    const compare = (a, b) => {
      if ((a === "") !== (b === "")) return a === "" ? 1 : -1; /* what there is not comes last */
      const apart = a - b || (isNaN(a) || isNaN(b) ? a.localeCompare(b, "en", {numeric: true}) : 0);
      return way === "ascending" ? apart : -apart;
    };
    body.append(...[...body.rows].sort((a, b) => compare(key(a), key(b))));
  });
}

function searching() {
  for (const field of all("input[data-rows]")) field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean), rows = all("tbody tr", by(field.dataset.rows));
    for (const row of rows) row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word));
    by(`${field.dataset.rows}-told`).textContent = words.length ? `${rows.filter(row => !row.hidden).length} of ${rows.length}` : "";
  });
}

function copying() {
  for (const button of all("button[data-copy]")) button.addEventListener("click", async () => {
    const from = by(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(from.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(from); /* where a page may not write: it is selected */
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  });
}

for (const root of all(".chart[data-chart]")) charts.push(new Chart(root, facts.charts[+root.dataset.chart]));
player(); controls(); sorting(); searching(); copying();
let wide = 0;
new ResizeObserver(([{contentRect}]) => { if (contentRect.width !== wide) { wide = contentRect.width; redraw(); } }).observe(document.body);
addEventListener("beforeprint", () => { all("details").forEach(one => { one.dataset.was = one.open; one.open = true; }); redraw(); });
addEventListener("afterprint", () => { all("details").forEach(one => { one.open = one.dataset.was === "true"; }); redraw(); });
redraw();
document.documentElement.dataset.ready = "";
