/** Colours of {@link STYLE}: contrasts of texts are 4.5 and more, of marks 3 and more, on paper and cards, in light and in dark. */
export const STYLE = `
:root{color-scheme:light dark;--paper:#f6f7f9;--card:#fff;--ink:#1b2230;--soft:#525c6c;--line:#dde2ea;--first:#2563b8;--second:#b65708;--faint:#7b8798;--good:#1a7240;--bad:#b3261e;--tint:37,99,184}
@media(prefers-color-scheme:dark){:root{--paper:#12161d;--card:#1a202a;--ink:#e7ebf2;--soft:#a7b1c0;--line:#303947;--first:#74aef8;--second:#f0a35a;--faint:#8692a4;--good:#69cf93;--bad:#ff9a90;--tint:116,174,248}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
.skip{position:absolute;left:-99em}.skip:focus{left:1em;top:1em;background:var(--card);padding:.5em 1em;z-index:1}
header,main,footer{max-width:1180px;margin:0 auto;padding:0 20px}
header{padding-top:28px}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .2em;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:0 0 .3em}
h3{font-size:1rem;margin:0 0 .3em}
p{margin:.3em 0 .7em;max-width:75ch}
a{color:var(--first)}
:focus-visible{outline:3px solid var(--second);outline-offset:2px}
.soft,figcaption,.note{color:var(--soft)}
nav ul{display:flex;flex-wrap:wrap;gap:.3em 1.1em;list-style:none;margin:.9em 0 1.2em;padding:0;font-size:.94rem}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:20px;margin:0 0 18px}
.hero{display:flex;flex-wrap:wrap;gap:10px 34px;align-items:baseline}
.hero b{font-size:2.9rem;line-height:1.1;font-weight:650;font-variant-numeric:tabular-nums}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr));gap:22px 26px;align-items:start}
figure{margin:0;min-width:0}
figcaption{font-size:.9rem;margin:0 0 .5em}
figcaption strong{display:block;color:var(--ink);font-size:1rem}
svg{display:block;width:100%;height:auto;max-width:520px}
svg text{fill:var(--soft);font-size:11px}
svg .grid{stroke:var(--line);fill:none}svg .axis{stroke:var(--faint);fill:none}
.line{fill:none;stroke-width:2;stroke-linejoin:round}
.line.first{stroke:var(--first)}.line.second{stroke:var(--second)}.line.faint{stroke:var(--faint);stroke-width:1.2;stroke-dasharray:4 4}
circle.first,rect.first{fill:var(--first)}circle.second,rect.second{fill:var(--second)}.soft.mark{fill-opacity:.45}
.whisker{fill:none;stroke:var(--ink);stroke-width:1.4}
.key{display:inline-block;width:1.1em;height:.65em;border-radius:2px;margin:0 .35em 0 .1em}
.key.first{background:var(--first)}.key.second{background:var(--second)}.key.faint{background:var(--faint)}
.wide{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
.note{font-size:.92rem;margin:.5em 0 .3em}
@media(max-width:600px){section{padding:14px}header,main,footer{padding-left:12px;padding-right:12px}table{font-size:.84rem}th,td{padding-right:.55em}}
th,td{padding:.32em .8em .32em 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
td.n,th.n{text-align:right}
td.heat{text-align:right;padding:.35em .7em;border:1px solid var(--line)}
.good{color:var(--good)}.bad{color:var(--bad)}
details{margin:.7em 0 0;font-size:.92rem}
summary{cursor:pointer;color:var(--soft)}
pre,code{font:.9em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{overflow:auto;background:var(--paper);border:1px solid var(--line);border-radius:6px;padding:12px;max-height:28em}
.warnings li{margin:.35em 0;overflow-wrap:anywhere}
footer{padding-bottom:40px;color:var(--soft);font-size:.9rem}
@media print{nav,.skip{display:none}section{break-inside:avoid;border:0;padding:0}body{background:#fff}}
`
  .trim()
  .replaceAll("\n", "");
