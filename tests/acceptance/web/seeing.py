"""What stands in the way of who does not see a page, or does not see it well: WCAG 2.2 AA, as far as a browser can tell.

Names come from the browser's own accessibility tree, contrast from the colours that it has computed. Source: ST-60; WCAG
2.2, success criteria 1.3.1, 1.4.3, 1.4.10, 1.4.11, 2.4.2, 2.4.6, 3.1.1, 4.1.2.
"""

from typing import Final

from tests.acceptance.web.browser import Page

OPERATED: Final = {"link", "button", "textbox", "combobox", "checkbox", "radio", "spinbutton", "searchbox"}

STRUCTURE: Final = """(() => {
  const found = [], all = s => [...document.querySelectorAll(s)];
  const shown = e => e.getClientRects().length > 0;
  if (!document.title.trim()) found.push('no title');
  if (all('main').length !== 1) found.push('not one main');
  if (all('h1').filter(shown).length !== 1) found.push('not one h1');
  let before = 0;
  for (const e of all('h1, h2, h3, h4, h5, h6').filter(shown)) {
    const level = Number(e.tagName[1]);
    if (before && level > before + 1) found.push(`h${before} before ${e.tagName}: ${e.textContent.trim().slice(0, 40)}`);
    before = level;
  }
  const ids = all('[id]').map(e => e.id);
  for (const id of new Set(ids.filter((one, at) => ids.indexOf(one) !== at))) found.push(`two with the id ${id}`);
  for (const name of ['aria-labelledby', 'aria-describedby', 'aria-controls'])
    for (const e of all(`[${name}]`))
      for (const id of e.getAttribute(name).split(/\\s+/))
        if (!document.getElementById(id)) found.push(`${name} of ${id}, which is not there`);
  for (const e of all('label[for]')) if (!document.getElementById(e.htmlFor)) found.push(`a label for ${e.htmlFor}`);
  for (const e of all('[aria-hidden=true]'))
    if ([e, ...e.querySelectorAll('a[href], button, input, select, textarea')].some(i => i.tabIndex >= 0 && shown(i)))
      found.push(`hidden and focusable: ${e.outerHTML.slice(0, 60)}`);
  for (const e of all('ul, ol'))
    for (const i of e.children) if (!['LI', 'TEMPLATE', 'SCRIPT'].includes(i.tagName)) found.push(`${i.tagName} in a list`);
  for (const e of all('table')) if (!e.querySelector('th')) found.push('a table without headers');
  for (const e of all('[tabindex]')) if (e.tabIndex > 0) found.push('a tabindex of its own order');
  return found;
})()"""

CONTRAST: Final = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const known = new Map();
  const rgba = text => {
    if (!known.has(text)) {
      canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(text, [r, g, b, a / 255]);
    }
    return known.get(text);
  };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3]));
  const behind = e => {
    const layers = [];
    for (let one = e; one; one = one.parentElement) {
      const style = getComputedStyle(one), color = rgba(style.backgroundColor);
      if (style.backgroundImage !== 'none') return null;
      if (color[3] > 0) layers.push(color);
      if (color[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), rgba(getComputedStyle(document.body).backgroundColor));
  };
  const light = color => {
    const [r, g, b] = color.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const found = [], words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let looked = 0;
  while (words.nextNode()) {
    const e = words.currentNode.parentElement, text = words.currentNode.textContent.trim();
    const seen = e.checkVisibility({visibilityProperty: true, opacityProperty: true});
    if (!text || !seen || e.closest(':disabled, .hidden, .skip')) continue;
    const style = getComputedStyle(e), under = behind(e), size = parseFloat(style.fontSize);
    if (!under || ['SCRIPT', 'STYLE', 'OPTION'].includes(e.tagName)) continue;
    const least = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const has = ratio(over(rgba(style.color), under), under);
    looked += 1;
    if (has < least) found.push(`${has.toFixed(2)} of ${least}: ${text.slice(0, 40)}`);
  }
  return [looked, found];
})()"""


def obstacles(page: Page, language: str) -> list[str]:
    """What is wrong with the page that is open, a line each; `language` is the one that it is to be in."""
    found = list(page.evaluate(STRUCTURE))
    looked, faint = page.evaluate(CONTRAST)
    assert looked > 3, "no text was looked at"
    said = page.evaluate("document.documentElement.lang")
    return [*found, *faint, *nameless(page), *([] if said == language else [f"it says that it is in {said!r}"])]


def nameless(page: Page) -> list[str]:
    """What can be operated and has no name for who does not see it."""
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    named = [(one["role"]["value"], one.get("name", {}).get("value", "")) for one in nodes if not one["ignored"]]
    return [f"a {role} without a name" for role, name in named if role in OPERATED and not name.strip()]
