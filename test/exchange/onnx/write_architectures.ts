// Writes all architectures of architectures.ts as files of ONNX, with rows and our answers, for check_architectures.py:
//
//     npm run build:js && node scripts/run.mjs test/exchange/onnx/write_architectures.ts FOLDER [FROM TO]
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportOnnx } from "carillon/exchange";
import { answersOf } from "./answers.js";
import { ARCHITECTURES, architecture, Draws, drawnInput } from "./architectures.js";

const [folder = "", from = "0", to = String(ARCHITECTURES)] = process.argv.slice(2);
if (folder === "") throw new Error("usage: write_architectures.ts FOLDER [FROM TO]");
mkdirSync(folder, { recursive: true });

const base64 = ({ buffer, byteOffset, byteLength }: ArrayBufferView): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString("base64");

for (let number = Number(from); number < Number(to); number++) {
  const made = architecture(number);
  const { inputs, outputs } = await exportOnnx(made.model, join(folder, `${number}.onnx`));
  const cases: object[] = [];
  for (const rows of [1, 2, 7]) {
    const draws = new Draws(1000 * number + rows);
    const drawn = made.inputs.map((_, at) => drawnInput(draws, made, at, rows));
    const arrays = Object.assign({}, ...drawn.map((each) => each.arrays));
    const answers = answersOf(
      made.model,
      drawn.map((each) => each.rows),
    );
    cases.push({
      inputs: Object.entries(arrays as ReturnType<typeof drawnInput>["arrays"]).map(([name, { data, dims }]) => {
        return { name, dims, type: data[Symbol.toStringTag], data: base64(data) };
      }),
      outputs: answers.map(({ name, data, shape }) => ({ name, dims: shape, data: base64(data) })),
    });
  }
  writeFileSync(join(folder, `${number}.json`), JSON.stringify({ name: made.name, inputs, outputs, cases }));
}
