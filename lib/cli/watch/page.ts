// The live page of a run: three texts without anything from elsewhere. The script has no dependencies, and is plain JavaScript of browsers.

export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>carillon: a run</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css">
</head>
<body>
<main>
<header><h1>A run</h1><p id="state" role="status">connecting</p></header>
<progress id="done" max="1" aria-label="share done"></progress>
<p class="buttons"><button id="pause" type="button">Pause</button> <button id="stop" type="button">Stop</button></p>
<dl id="facts"></dl>
<section><h2 id="loss-title">Loss by epoch</h2><div class="chart" id="loss"></div></section>
<section><h2 id="figure-title">Figure of rows that were held out</h2><div class="chart" id="figure"></div></section>
<section><h2>Warnings</h2><ul id="warnings"><li>none</li></ul></section>
</main>
<script src="/page.js"></script>
</body>
</html>
`;

export const STYLE = `:root{color-scheme:light dark;--ink:#1c1c1c;--soft:#5a5a5a;--back:#fff;--line:#c9c9c9;--a:#0b62b0;--b:#a3400a}
@media(prefers-color-scheme:dark){:root{--ink:#ececec;--soft:#b4b4b4;--back:#161616;--line:#444;--a:#6cb6ff;--b:#ff9d5c}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1rem;margin:1.5rem 0 .25rem}
#state{margin:0;color:var(--soft)}
progress{width:100%;height:.8rem;accent-color:var(--a)}
button{font:inherit;padding:.35rem 1rem;border:1px solid var(--soft);border-radius:.4rem;background:var(--back);color:var(--ink);cursor:pointer}
button:disabled{color:var(--soft);border-color:var(--line);cursor:default}
button:focus-visible{outline:3px solid var(--a);outline-offset:2px}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));gap:.5rem 1rem;margin:1rem 0}
dt{color:var(--soft);font-size:.85rem}dd{margin:0;font-variant-numeric:tabular-nums}
svg{width:100%;height:auto;display:block}
svg text{fill:var(--soft);font:12px system-ui,sans-serif}
.axis{stroke:var(--line);fill:none}
.s0{stroke:var(--a);fill:none;stroke-width:2}.s1{stroke:var(--b);fill:none;stroke-width:2;stroke-dasharray:6 4}
.d0{fill:var(--a)}.d1{fill:var(--b)}
.legend{margin:0;color:var(--soft);font-size:.85rem}
`;

export const SCRIPT = `"use strict";
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const points = { loss: [[], []], figure: [[]] };
let run = {}, last = {}, name = "figure", members = new Map(), over = false, paused = false, drawn = false;
const text = (value) => {
  if (typeof value !== "number" || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  return size !== 0 && size < 1e-3 ? value.toExponential(2) : value.toPrecision(4);
};
const time = (s) => !Number.isFinite(s) ? "–" : s < 60 ? Math.round(s) + " s" : s < 3600 ? Math.floor(s / 60) + " min " + Math.round(s % 60) + " s" : Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
function element(kind, attributes, inside) {
  const made = document.createElementNS(SVG, kind);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (inside !== undefined) made.textContent = inside;
  return made;
}
function chart(id, series, names) {
  const all = series.flat();
  if (all.length === 0) return;
  const [width, height, left, bottom] = [720, 240, 64, 24];
  const xs = all.map(([x]) => x), ys = all.map(([, y]) => y).filter(Number.isFinite);
  if (ys.length === 0) return;
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const px = (x) => left + (width - left - 12) * (x1 > x0 ? (x - x0) / (x1 - x0) : 0.5);
  const py = (y) => 10 + (height - bottom - 20) * (y1 > y0 ? 1 - (y - y0) / (y1 - y0) : 0.5);
  const label = names.map((one, at) => one + " " + text(series[at].at(-1)?.[1])).join(", ");
  const svg = element("svg", { viewBox: "0 0 " + width + " " + height, role: "img", "aria-label": label });
  svg.append(element("path", { class: "axis", d: "M" + left + " 10V" + (height - bottom) + "H" + (width - 12) }));
  for (const y of y1 > y0 ? [y0, y1] : [y0]) svg.append(element("text", { x: left - 6, y: py(y) + 4, "text-anchor": "end" }, text(y)));
  for (const x of x1 > x0 ? [x0, x1] : [x0]) svg.append(element("text", { x: px(x), y: height - 6, "text-anchor": x === x1 && x1 > x0 ? "end" : "start" }, x.toLocaleString("en-US")));
  series.forEach((list, at) => {
    const seen = list.filter(([, y]) => Number.isFinite(y));
    let before;
    const d = seen.map(([x, y, member]) => { const pen = before === member ? "L" : "M"; before = member; return pen + px(x).toFixed(1) + " " + py(y).toFixed(1); }).join("");
    svg.append(element("path", { class: "s" + at, d }));
    const end = seen.at(-1);
    if (end) svg.append(element("circle", { class: "d" + at, cx: px(end[0]), cy: py(end[1]), r: 4 }));
  });
  const legend = document.createElement("p");
  legend.className = "legend";
  legend.textContent = names.map((one, at) => (at === 0 ? "solid: " : "dashed: ") + one).join(", ");
  $(id).replaceChildren(svg, legend);
}
function sorted(list) { return list.toSorted((a, b) => a[2] - b[2] || a[0] - b[0]); }
function draw() {
  drawn = false;
  chart("loss", points.loss.map(sorted), ["training", "held out"]);
  chart("figure", points.figure.map(sorted), [name]);
  let share = 0;
  for (const done of members.values()) share += done / ((run.members || 1) * (last.epochs || run.epochs || 1));
  $("done").value = over ? 1 : Math.min(1, share);
  const facts = { task: run.task, rows: run.rows, members: run.members, epoch: last.epoch && last.epoch + " of " + last.epochs, loss: last.loss, [name]: points.figure[0].at(-1)?.[1], "rows a second": last.rowsPerSecond, "time left": over ? undefined : time(last.secondsLeft) };
  $("facts").replaceChildren(...Object.entries(facts).filter(([, value]) => value !== undefined).flatMap(([key, value]) => {
    const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
    dt.textContent = key;
    dd.textContent = typeof value === "number" ? (Number.isInteger(value) ? value.toLocaleString("en-US") : text(value)) : String(value);
    const pair = document.createElement("div");
    pair.append(dt, dd);
    return [pair];
  }));
}
function say(words) { if ($("state").textContent !== words) $("state").textContent = words; }
function take(event) {
  if (event.kind === "stage" && !run.kind) say(event.stage);
  if (event.kind === "start") {
    run = event;
    say("training");
    const items = event.warnings.map(({ text: words }) => { const item = document.createElement("li"); item.textContent = words; return item; });
    if (items.length > 0) $("warnings").replaceChildren(...items);
  }
  if (event.kind === "step" || event.kind === "epoch") {
    last = { ...last, ...event };
    members.set(event.member, event.kind === "epoch" ? event.epoch : event.epoch - 1);
  }
  if (event.kind === "epoch") {
    name = event.validation.figure.name;
    points.loss[0].push([event.epoch, event.loss, event.member]);
    points.loss[1].push([event.epoch, event.validation.loss, event.member]);
    points.figure[0].push([event.epoch, event.validation.figure.value, event.member]);
  }
  if (event.kind === "paused") { paused = event.paused; $("pause").textContent = paused ? "Go on" : "Pause"; say(paused ? "paused" : "training"); }
  if (event.kind === "end") {
    over = true;
    say(event.reason + ": " + Object.entries(event.score).map(([key, value]) => key + " " + text(value)).join(", "));
    for (const id of ["pause", "stop"]) $(id).disabled = true;
  }
  if (!drawn) { drawn = true; requestAnimationFrame(draw); }
}
const ask = (what) => fetch("/" + what, { method: "POST" }).catch(() => say("the run is over, or its process is gone"));
$("pause").addEventListener("click", () => ask(paused ? "resume" : "pause"));
$("stop").addEventListener("click", () => ask("stop"));
const source = new EventSource("/events");
source.addEventListener("message", ({ data }) => take(JSON.parse(data)));
source.addEventListener("error", () => { source.close(); if (!over) say("the process of the run is gone"); });
`;
