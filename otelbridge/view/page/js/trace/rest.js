/** Long lists of events come in pieces: the trace with the first thousand, the rest by and by. */

import * as api from "../api.js";

/** @import { TraceModel } from "./model.js" */

const PIECE = 1_000; // what the server gives at once
const MOST = 200_000; // events of one span that the page keeps

/**
 * @param {TraceModel} model
 * @param {AbortSignal} gone
 * @param {() => void} onMore
 */
export async function readRest(model, gone, onMore) {
  for (const node of model.nodes.values()) {
    while (node.events.length < Math.min(node.eventCount, MOST)) {
      const from = node.events.length;
      const piece = await api.events(model.id, node.span.span_id, from, PIECE).catch(() => null);
      if (gone.aborted) return;
      if (!piece || piece.events.length === 0) break;
      if (node.events.length !== from) continue; // live events came meanwhile
      node.addRead(piece.events, model.base, piece.total);
      onMore();
    }
  }
}
