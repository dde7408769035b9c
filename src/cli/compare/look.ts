/** The look of the report: light and dark by the reader's choice, one column on a telephone, plain on paper. */
export const LOOK = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #16202c; --soft: #556170; --line: #dbe0e7; --track: #eceff3;
  --t0: #1c6fd1; --t1: #b4510e; --t2: #13805a; --t3: #8a4bc2; --t4: #b3315f;
  --warn: #8a5a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10151b; --card: #18202a; --ink: #e8edf3; --soft: #a2afbd; --line: #2c3744; --track: #232d39;
    --t0: #5aa6ff; --t1: #f0914c; --t2: #43c493; --t3: #bd8bf0; --t4: #f0789f;
    --warn: #e5b04a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0; }
p { margin: .25rem 0; }
.soft { color: var(--soft); font-size: .875rem; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; min-width: 0; }
.card header { display: flex; justify-content: space-between; gap: .75rem; align-items: baseline; }
.better { color: var(--soft); font-size: .8rem; white-space: nowrap; }
svg { display: block; width: 100%; height: auto; margin: .75rem 0 .5rem; }
svg text { font: 13px system-ui, sans-serif; fill: var(--ink); }
svg .value { font-variant-numeric: tabular-nums; font-weight: 600; }
svg .none { fill: var(--soft); }
.track { fill: var(--track); }
.t0 { fill: var(--t0); background: var(--t0); } .t1 { fill: var(--t1); background: var(--t1); }
.t2 { fill: var(--t2); background: var(--t2); } .t3 { fill: var(--t3); background: var(--t3); }
.t4 { fill: var(--t4); background: var(--t4); }
.dot { display: inline-block; width: .7rem; height: .7rem; border-radius: 50%; margin-right: .5rem; }
.off { opacity: .45; }
dl { display: grid; grid-template-columns: minmax(4.25rem, auto) 1fr; gap: .15rem .75rem; margin: .5rem 0 0; font-size: .9rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.why { color: var(--warn); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: right; padding: .45rem .9rem; border-top: 1px solid var(--line); white-space: nowrap; }
thead th { border-top: 0; color: var(--soft); }
th:first-child, td:first-child { text-align: left; }
tbody th { font-weight: 400; }
td { font-variant-numeric: tabular-nums; }
.best { font-weight: 700; }
@media print { body { background: none; } .card { break-inside: avoid; } }
`;
