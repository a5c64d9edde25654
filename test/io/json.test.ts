import { expect, test } from "vitest";
import { repeatedKey } from "../../lib/io/json.js";

test.each([
  ['{"a":1,"a":2}', "a"],
  ['{ "a" : 1 ,\n"b" : { } , "a" : 2 }', "a"],
  ['{"x":{"b":1,"b":1}}', "b"],
  ['{"x":[{"c":1},{"c":1,"c":2}]}', "c"],
  ['{"a\\"b":1,"a\\"b":2}', 'a"b'],
  ['{"a\\\\":1,"a\\\\":2}', "a\\"],
  ['{"a":1,"\\u0061":2}', "a"],
  ['{"":1,"":2}', ""],
  ['{"__proto__":1,"__proto__":2}', "__proto__"],
])("%s repeats %o", (json, key) => {
  JSON.parse(json);
  expect(repeatedKey(json)).toBe(key);
});

test.each([
  "{}",
  '{"a":"a","b":"a"}',
  '{"a":{"a":{"a":1}}}',
  '[{"a":1},{"a":1},["a","a"]]',
  '{"a":["a","a"],"b":{"a":1},"c":{"a":1}}',
  '{"a":"\\",\\"a\\":1","b":1}',
  '{"a":"{\\"b\\":1","b":"}"}',
  '{"a":"\\\\","b":"\\\\"}',
])("%s repeats nothing", (json) => {
  JSON.parse(json);
  expect(repeatedKey(json)).toBeUndefined();
});
