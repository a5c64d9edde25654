// Faults and sizes of JSON text that JSON.parse does not tell.

/**
 * The first key that stands twice in one object of `json`, of which JSON.parse silently keeps the last.
 *
 * @param json Text that JSON.parse accepts; other text gives no meaningful answer.
 */
export function repeatedKey(json: string): string | undefined {
  // Keys of the objects that are open, innermost last; an array holds no keys.
  const open: (Set<string> | undefined)[] = [];
  let last = "";
  for (let at = 0; at < json.length; at++) {
    switch (json[at]) {
      case "{":
        open.push(new Set());
        break;
      case "[":
        open.push(undefined);
        break;
      case "}":
      case "]":
        open.pop();
        break;
      case '"': {
        const end = endOfString(json, at);
        last = json.slice(at, end);
        at = end - 1;
        break;
      }
      case ":": {
        const key = String(JSON.parse(last));
        const keys = open.at(-1);
        if (keys?.has(key)) return key;
        keys?.add(key);
        break;
      }
    }
  }
  return undefined;
}

/** How many objects and lists of `json` stand in one another, at most. JSON.parse takes any number; who walks through its value does not. */
export function nestingOf(json: string): number {
  let [open, most] = [0, 0];
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (character === '"') at = endOfString(json, at) - 1;
    else if (character === "}" || character === "]") open -= 1;
    else if (character === "{" || character === "[") {
      open += 1;
      if (open > most) most = open;
    }
  }
  return most;
}

/** Whether JSON text has more than `most` commas, colons and opening brackets outside of strings. */
export function exceeds(text: string, most: number): boolean {
  let count = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '"':
        at = endOfString(text, at) - 1;
        break;
      case ",":
      case ":":
      case "[":
      case "{":
        count += 1;
        if (count > most) return true;
    }
  }
  return false;
}

/** The place behind the string that starts at `start`. */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at + 1;
}
