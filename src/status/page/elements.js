// The script of the page, in the order of `page.rs`; its files share one scope. This one makes
// elements. What AWS says gets into the document as text and by attributes of our choice only;
// nothing here reads markup.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
/** The attributes that what is shown may have. */
const ATTRIBUTES = ["class", "title", "href", "rel", "datetime"];

const byId = (id) => document.getElementById(id);

/** A new element; attributes that are null or undefined are left out. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(made, name, value);
  made.append(...children);
  return made;
}

function setAttribute(node, name, value) {
  if (value === null || value === undefined) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

function setText(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

/**
 * Makes the children of `holder` what is to be shown: `[tag, words, attributes]`, or a list of
 * them. Only what differs is touched, so that focus and selection stay.
 */
function fill(holder, shown) {
  const all = typeof shown[0] === "string" ? [shown] : shown;
  all.forEach(([tag, words, attributes = {}], at) => {
    let child = holder.children[at];
    if (child?.localName !== tag) {
      const made = document.createElement(tag);
      if (child) child.replaceWith(made);
      else holder.append(made);
      child = made;
    }
    setText(child, words);
    for (const name of ATTRIBUTES) setAttribute(child, name, attributes[name]);
  });
  while (holder.children.length > all.length) holder.lastElementChild.remove();
}

/** Puts nodes one after the other, the first at `place`; those that stand right stay untouched. */
function arrange(holder, nodes, place) {
  for (const node of nodes) {
    if (node === place) place = place.nextSibling;
    else holder.insertBefore(node, place);
  }
}
