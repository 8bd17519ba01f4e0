// What is wrong with how a page is made: what those need who don't see it, or see it on a phone.

const once = faults => [...new Set(faults)];

const structureFaults = () => {
    const faults = [];
    const html = document.documentElement;
    const all = selector => [...document.querySelectorAll(selector)];
    if (!html.lang) faults.push('html has no lang');
    if (!document.title.trim()) faults.push('the page has no title');
    if (!document.querySelector('meta[name=viewport]')) faults.push('no viewport for phones');
    const headings = all('h1,h2,h3,h4,h5,h6').filter(seen);
    const first = headings.filter(e => e.localName === 'h1');
    if (first.length !== 1) faults.push(`${first.length} headings h1 instead of one`);
    let level = 0;
    for (const e of headings) {
        const next = Number(e.localName[1]);
        if (next > level + 1) faults.push(`a heading's level is left out before ${describe(e)}`);
        level = next;
    }
    if (all('main').length !== 1) faults.push(`${all('main').length} main instead of one`);

    const ids = new Set();
    for (const e of all('[id]')) {
        if (ids.has(e.id)) faults.push(`the id ${e.id} is there twice`);
        ids.add(e.id);
    }
    for (const name of ['for', 'aria-labelledby', 'aria-describedby', 'aria-controls', 'list']) {
        for (const e of all(`[${name}]`)) {
            for (const id of e.getAttribute(name).split(/\s+/)) {
                if (!ids.has(id)) faults.push(`${name}="${id}" leads nowhere: ${describe(e)}`);
            }
        }
    }
    for (const e of all('input,select,textarea')) {
        if (['hidden', 'submit', 'button', 'reset', 'image'].includes(e.type)) continue;
        if (e.closest('[hidden]')) continue;
        const named = e.labels?.length || e.ariaLabel || e.hasAttribute('aria-labelledby');
        // What is in an empty field goes away when somebody writes there.
        if (!named) faults.push(`no label: ${describe(e)}`);
        if (e.type === 'password' && !e.autocomplete) {
            faults.push(`a password without autocomplete: ${describe(e)}`);
        }
    }
    for (const e of all('fieldset')) {
        if (!e.querySelector(':scope > legend')) faults.push(`a fieldset without a legend: ${describe(e)}`);
    }
    for (const e of all('img:not([alt])')) faults.push(`an image without alt: ${e.src}`);
    for (const e of all('table')) {
        if (!e.querySelector('th')) faults.push(`a table without headings: ${describe(e)}`);
    }
    for (const e of all('[tabindex]')) {
        if (e.tabIndex > 0) faults.push(`its place for Tab is not that in the page: ${describe(e)}`);
    }
    for (const e of all('p a[href], li a[href], dd a[href], td a[href]')) {
        const text = e.parentElement.innerText.trim() !== e.innerText.trim();
        const style = getComputedStyle(e);
        const marked = style.textDecorationLine.includes('underline') || e.closest('nav')
            || style.backgroundColor !== 'rgba(0, 0, 0, 0)' || style.borderBottomStyle !== 'none';
        if (text && seen(e) && !marked) faults.push(`a link that only its colour tells: ${describe(e)}`);
    }
    return once(faults);
};

// What one has to move sideways to read it, on a screen that has room.
const sidewaysFaults = () => [...document.querySelectorAll('body *')]
    .filter(e => ['auto', 'scroll'].includes(getComputedStyle(e).overflowX))
    .filter(e => seen(e) && e.scrollWidth > e.clientWidth + 1)
    .map(e => `it has ${e.scrollWidth} pixels in ${e.clientWidth}: ${describe(e)}`);

// What is wider than the page, or too small for a finger.
const phoneFaults = width => {
    const faults = [];
    if (document.scrollingElement.scrollWidth > width) {
        faults.push(`the page is ${document.scrollingElement.scrollWidth} wide, not ${width}`);
        const wide = [...document.body.querySelectorAll('*')].filter(e => {
            const scrolls = at => at && at !== document.body
                && (getComputedStyle(at).overflowX !== 'visible' || scrolls(at.parentElement));
            return seen(e) && e.getBoundingClientRect().right > width + 1 && !scrolls(e.parentElement);
        });
        wide.sort((a, b) => b.getBoundingClientRect().right - a.getBoundingClientRect().right);
        faults.push(...wide.slice(0, 5).map(e => `too wide: ${describe(e)}`));
    }
    for (const e of document.querySelectorAll('button,input,select,textarea,summary')) {
        if (e.type === 'hidden' || !seen(e)) continue;
        const label = e.labels?.[0]?.getBoundingClientRect();
        const own = e.getBoundingClientRect();
        const [w, h] = [Math.max(own.width, label?.width ?? 0), Math.max(own.height, label?.height ?? 0)];
        if (w < 24 || h < 24) faults.push(`${w.toFixed(0)}×${h.toFixed(0)} is too small: ${describe(e)}`);
    }
    return once(faults);
};
