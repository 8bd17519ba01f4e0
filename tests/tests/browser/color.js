// Colours as people see them, and what is wrong with how they go together (WCAG 2.2).

// An element, for people.
const describe = e => {
    const id = e.id ? `#${e.id}` : '';
    const text = (e.textContent || e.value || e.name || '').replace(/\s+/g, ' ').trim().slice(0, 40);
    return `<${e.localName}${id}${[...e.classList].map(c => `.${c}`).join('')}> "${text}"`;
};

const seen = e => {
    if (!e.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
    // What is only for screen readers is clipped to next to nothing.
    const { width, height } = e.getBoundingClientRect();
    return width > 1 && height > 1;
};

// Any colour of CSS as red, green, blue and alpha; whatever it is written in, a canvas knows.
const paint = (() => {
    const known = new Map();
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 1;
    const context = canvas.getContext('2d', { willReadFrequently: true });
    return color => {
        if (!known.has(color)) {
            context.clearRect(0, 0, 1, 1);
            context.fillStyle = color;
            context.fillRect(0, 0, 1, 1);
            const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
            known.set(color, [r, g, b, a / 255]);
        }
        return known.get(color);
    };
})();

const over = (top, bottom) => {
    const a = top[3];
    return [0, 1, 2].map(i => top[i] * a + bottom[i] * (1 - a)).concat(1);
};

// What is behind everything: what the browser paints where the page says nothing.
const canvasColor = () => {
    const probe = document.createElement('div');
    probe.style.backgroundColor = 'Canvas';
    document.body.append(probe);
    const color = getComputedStyle(probe).backgroundColor;
    probe.remove();
    return paint(color);
};

// What an element's text is painted on.
const background = e => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) {
        const style = getComputedStyle(at);
        if (style.backgroundImage.includes('gradient')) return null;
        layers.push(paint(style.backgroundColor));
        if (layers.at(-1)[3] === 1) break;
    }
    return layers.reduceRight((below, layer) => over(layer, below), canvasColor());
};

const opacity = e => {
    let product = 1;
    for (let at = e; at; at = at.parentElement) product *= Number(getComputedStyle(at).opacity);
    return product;
};

const luminance = color => {
    const [r, g, b] = color.slice(0, 3).map(v => v / 255)
        .map(v => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

const ratio = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
};

const shown = color => `rgb(${color.slice(0, 3).map(Math.round).join(',')})`;
const unusable = e => e.closest(':disabled,[aria-disabled=true],[inert]') !== null;

// The fault of one element's text, if it is one. `what` is where its style is, if not its own.
const textFault = (e, what = null) => {
    const style = getComputedStyle(e, what);
    const behind = background(e);
    if (behind === null) return `text on a gradient can't be judged: ${describe(e)}`;
    const svg = e instanceof SVGElement && !what;
    const [r, g, b, a] = paint(svg ? style.fill : style.color);
    const front = over([r, g, b, a * opacity(e)], behind);
    const size = Number.parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const [is, needed] = [ratio(front, behind), large ? 3 : 4.5];
    if (is >= needed) return null;
    const colors = `${shown(front)} on ${shown(behind)}`;
    return `contrast ${is.toFixed(2)}, not ${needed}: ${colors}: ${describe(e)}${what ?? ''}`;
};

// The contrast of all text that can be seen.
const textFaults = () => {
    const faults = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const parents = new Set();
    while (walker.nextNode()) {
        if (walker.currentNode.data.trim()) parents.add(walker.currentNode.parentElement);
    }
    for (const e of parents) {
        const silent = e.closest('script,style,noscript,template,option,title,desc,textarea');
        if (!silent && seen(e) && !unusable(e)) faults.push(textFault(e));
    }
    for (const e of document.querySelectorAll('input,textarea,select')) {
        if (['hidden', 'checkbox', 'radio', 'range', 'color', 'file'].includes(e.type)) continue;
        if (!seen(e) || unusable(e)) continue;
        faults.push(textFault(e));
        if (e.placeholder) faults.push(textFault(e, '::placeholder'));
    }
    return faults.filter(fault => fault);
};

// Where a field is must be seen, too: by its border or by its own colour.
const fieldFaults = () => {
    const faults = [];
    for (const e of document.querySelectorAll('input,textarea,select')) {
        if (['hidden', 'checkbox', 'radio', 'range', 'color', 'file', 'submit', 'button', 'reset']
            .includes(e.type)) continue;
        if (!seen(e) || unusable(e)) continue;
        const [inside, outside] = [background(e), background(e.parentElement)];
        if (!inside || !outside) continue;
        const style = getComputedStyle(e);
        const border = Number.parseFloat(style.borderBottomWidth) >= 1
            ? over(paint(style.borderBottomColor), inside) : inside;
        const best = Math.max(ratio(border, outside), ratio(inside, outside));
        if (best < 3) faults.push(`contrast of a field's edge ${best.toFixed(2)}, not 3: ${describe(e)}`);
    }
    return faults;
};
