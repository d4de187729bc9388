// What is measured inside of the page: each function runs there, and names nothing from here.

/** Every text that is shown, with its contrast to what is behind it (WCAG 2.2, 1.4.3). */
export function contrasts() {
  const numbers = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const linear = [r, g, b].map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = numbers(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.body.querySelectorAll("*")) {
    const own = Array.from(node.childNodes).some((child) =>
      child.nodeType === Node.TEXT_NODE && child.data.trim());
    if (!own || !node.checkVisibility() || node.closest("script, noscript, .hidden")) continue;
    const [one, other] = [numbers(getComputedStyle(node).color), behind(node)]
      .map(luminance).sort((a, b) => b - a);
    found.push({ ratio: (one + 0.05) / (other + 0.05), text: node.textContent.slice(0, 40) });
  }
  return found;
}

/** What is wider than the window, but for what scrolls in a region of its own. */
export function narrow() {
  const wide = document.documentElement.scrollWidth;
  const main = document.querySelector("main");
  const found = [];
  if (wide > innerWidth) found.push(`the document has ${wide} of ${innerWidth}`);
  if (main.scrollWidth > main.clientWidth) found.push(`what is shown has ${main.scrollWidth}`);
  return found;
}

/** Controls that are too small (WCAG 2.2, 2.5.8), and sections that are too small for thumbs. */
export function small() {
  const controls = document.querySelectorAll("button, input, summary, nav a, .tabs a, th a, td a");
  return Array.from(controls).filter((node) => node.checkVisibility()).flatMap((node) => {
    const { width, height } = node.getBoundingClientRect();
    const least = node.closest("nav") ? 44 : 24;
    const said = `${node.textContent || node.localName}: ${width} × ${height}`;
    return height < least || width < Math.min(least, 24) ? [said] : [];
  });
}
