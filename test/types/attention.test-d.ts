// Layers of attention, checked by the compiler. A line under @ts-expect-error must not compile.
import {
  attention,
  embedding,
  type Layer,
  linear,
  type Model,
  positions,
  sequential,
  spec,
  transformerBlock,
} from "carillon";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if the type argument is exactly `true`. */
declare function holds<T extends true>(): T;

const text = sequential(
  { input: spec(["batch", 12], "i32") },
  embedding(65, 32),
  positions("learned", { time: 16, size: 32 }),
  transformerBlock(32, 4, { causal: true }),
  attention(32, 1),
  linear(32, 65),
);
holds<Equal<typeof text, Model<12, readonly [12, 65], "i32">>>();

// Heads divide the size: the sentence names both.
attention(128, 4);
attention(96, 12);
attention(1024, 16);
// @ts-expect-error the size 130 is no multiple of 4 heads
attention(130, 4);
// @ts-expect-error the size 100 is no multiple of 12 heads
transformerBlock(100, 12);
declare const size: number;
attention(size, 3);
transformerBlock(64, size);

// Sizes of neighbours agree.
// @ts-expect-error a block of 32 behind 16 features
sequential({ input: [12, 16] }, transformerBlock(32, 4), linear(32, 1));
// @ts-expect-error rotary positions are an option of attention
positions("rotary", { time: 16, size: 32 });
// @ts-expect-error no such norm
transformerBlock(32, 4, { norm: "sandwich" });

const block: Layer<32, "same", "f32"> = transformerBlock(32, 4);
sequential({ input: [12, 32] }, block, linear(32, 1));

// Generators take integers and give them.
const generator = text.generator({ length: 32 });
holds<Equal<ReturnType<typeof generator.generate>, AsyncGenerator<number, void, undefined>>>();
holds<Equal<ReturnType<typeof generator.feed>, Float32Array>>();
generator.feed(Int32Array.of(1, 2));
// @ts-expect-error texts are no tokens
generator.feed(["a"]);
// @ts-expect-error there is no such option
text.generator({ beams: 2 });
