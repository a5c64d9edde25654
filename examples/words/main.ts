// A bag of hashed words, whose table has 2¹⁸ rows:  npm run example:words -- [--epochs N] [--seed N]
import { parseArgs } from "node:util";
import { percent } from "../table.js";
import { learnReviews } from "./bag.js";
import { reviews } from "./reviews.js";

const { values } = parseArgs({
  options: { epochs: { type: "string", default: "10" }, seed: { type: "string", default: "1" } },
});
const training = { epochs: Number(values.epochs), seed: Number(values.seed) };
const [known, held] = [reviews(8_000), reviews(2_000, 8_000)];
console.log(`a review: ${held.texts[0]}`);
const words = await learnReviews(known, held, { ...training, pairs: false });
console.log(`words alone:       ${percent(words)} of new reviews`);
const both = await learnReviews(known, held, { ...training, pairs: true });
console.log(`with neighbours:   ${percent(both)} of new reviews`);
