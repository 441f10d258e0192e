/**
 * Which span is under which. Data from strangers may have parents that are not here, that are their
 * own ancestors, or thousands of levels: nothing here recurses, and every span has a place.
 */

/** @import { Node } from "./node.js" */

/** @typedef {"time" | "errors"} Order */

export class Tree {
  constructor() {
    /** @type {Node[]} */
    this.roots = [];
    /** @type {Order} */
    this.order = "time";
    /** @type {Node[] | null} */
    this.listed = null;
  }

  /** @param {Node[]} nodes all of them */
  build(nodes) {
    const known = new Map(nodes.map((node) => [node.span.span_id, node]));
    for (const node of nodes) {
      node.parent = null;
      node.children = [];
    }
    this.roots = [];
    for (const node of nodes) this.place(node, known);
    this.settle();
  }

  /**
   * @param {Node} node new
   * @param {Map<string, Node>} known
   */
  add(node, known) {
    this.place(node, known);
    const waiting = this.roots.filter((it) => it !== node && it.span.parent_id === node.span.span_id);
    for (const child of waiting) {
      this.roots.splice(this.roots.indexOf(child), 1);
      this.place(child, known);
    }
    this.settle();
  }

  /** @param {Node} node whose status or times are others now */
  changed(node) {
    if (this.order === "errors" || node.span.status === "error") this.settle();
  }

  /**
   * @param {Node} node
   * @param {Map<string, Node>} known
   */
  place(node, known) {
    const parent = node.span.parent_id === null ? undefined : known.get(node.span.parent_id);
    if (!parent || isBelow(parent, node)) this.roots.push(node);
    else {
      node.parent = parent;
      parent.children.push(node);
    }
  }

  /** Sort, and count depths and errors anew. */
  settle() {
    this.listed = null;
    const all = this.all((node) => node.children);
    for (const node of all) {
      node.depth = node.parent ? node.parent.depth + 1 : 0;
      node.failed = node.span.status === "error" ? 1 : 0;
    }
    for (let at = all.length - 1; at >= 0; at -= 1) {
      const node = /** @type {Node} */ (all[at]);
      if (node.parent) node.parent.failed += node.failed;
    }
    for (const node of all) if (node.children.length > 1) this.sort(node.children);
    this.sort(this.roots);
  }

  /** @param {Node[]} nodes */
  sort(nodes) {
    const errors = this.order === "errors";
    nodes.sort((a, b) => {
      if (errors && a.failed > 0 !== b.failed > 0) return a.failed > 0 ? -1 : 1;
      return a.start - b.start || (a.span.span_id < b.span.span_id ? -1 : 1);
    });
  }

  /**
   * @param {(node: Node) => Node[]} below which children to go into
   * @returns {Node[]} parents before their children
   */
  all(below) {
    const found = [];
    const left = [...this.roots].reverse();
    for (let node = left.pop(); node; node = left.pop()) {
      found.push(node);
      const children = below(node);
      for (let at = children.length - 1; at >= 0; at -= 1) left.push(/** @type {Node} */ (children[at]));
    }
    return found;
  }

  /** @returns {Node[]} what is seen of it, folded as it is */
  rows() {
    this.listed ??= this.all((node) => (node.folded ? [] : node.children));
    return this.listed;
  }

  /** @param {Node} node @param {boolean} folded */
  fold(node, folded) {
    if (node.folded === folded) return;
    node.folded = folded;
    this.listed = null;
  }

  /** @param {boolean} folded */
  foldAll(folded) {
    for (const node of this.all((it) => it.children)) node.folded = folded && node.children.length > 0 && node.parent !== null;
    this.listed = null;
  }

  /** @param {Node} node whose ancestors are opened, so that it is seen */
  unfoldTo(node) {
    for (let it = node.parent; it; it = it.parent) this.fold(it, false);
  }
}

/**
 * @param {Node} node
 * @param {Node} other
 * @returns {boolean} whether `node` is `other` or below it
 */
function isBelow(node, other) {
  if (other.children.length === 0) return node === other;
  for (let it = /** @type {Node | null} */ (node); it; it = it.parent) if (it === other) return true;
  return false;
}
