// Where Tab leads, and whether it shows. `window.__stops` has the elements that had the focus.

// What is wrong with the element that has the focus now.
const stop = () => {
    const e = document.activeElement;
    if (!e || e === document.body || window.__stops.includes(e)) return { end: true };
    window.__stops.push(e);
    const faults = [];
    const { top, left, width, height } = e.getBoundingClientRect();
    if (width <= 1 || height <= 1) faults.push(`the focus is on something unseen: ${describe(e)}`);
    const at = document.elementFromPoint(left + Math.min(width / 2, 20), top + height / 2);
    if (!at || !(e.contains(at) || at.contains(e) || [...(e.labels ?? [])].some(l => l.contains(at)))) {
        faults.push(`what has the focus is covered: ${describe(e)}`);
    }
    const style = getComputedStyle(e);
    const own = style.outlineStyle === 'auto';
    const outline = style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 1;
    if (!outline && style.boxShadow === 'none') {
        faults.push(`the focus doesn't show: ${describe(e)}`);
    } else if (outline && !own) {
        const outside = Number.parseFloat(style.outlineOffset) >= 0;
        const behind = background(outside ? e.parentElement : e);
        const is = behind ? ratio(over(paint(style.outlineColor), behind), behind) : 21;
        if (is < 3) faults.push(`contrast of the focus ${is.toFixed(2)}, not 3: ${describe(e)}`);
    }
    return { end: false, faults };
};

// What Tab should come to, and didn't.
const missed = () => {
    const all = 'a[href],button,input,select,textarea,summary,[tabindex="0"]';
    const groups = new Set(window.__stops.filter(e => e.type === 'radio').map(e => e.name));
    return [...document.querySelectorAll(all)]
        .filter(e => seen(e) && !unusable(e) && e.tabIndex >= 0 && !window.__stops.includes(e))
        .filter(e => !(e.type === 'radio' && groups.has(e.name)))
        .map(e => `Tab doesn't come to ${describe(e)}`);
};
