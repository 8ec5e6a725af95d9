// F6 goes from pane to pane, and back with Shift: the bar, then what stands beside each other in the screen.
const PANES = '.bar, .page:not(:has(section)), .compare-main, main section, main aside, main .prompt, main .prediction, main .timeline, main .choices-bar, main figure';
addEventListener('keydown', (event) => {
  if (event.key !== 'F6' || document.querySelector('dialog[open]')) return;
  event.preventDefault();
  const all = [...document.querySelectorAll(PANES)].filter((pane) => pane.getClientRects().length > 0);
  const here = all.findLastIndex((pane) => pane.contains(document.activeElement));
  const next = event.shiftKey ? all.at(Math.max(here, 0) - 1) : all[(here + 1) % all.length];
  if (!next.hasAttribute('tabindex')) next.tabIndex = -1;
  next.dataset.pane = '';
  next.focus();
});
