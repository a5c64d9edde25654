// Activations with a share a unit, y = x + (f(x) − x)·share, and their gradients, by the roundings of the operations.

// y and bend = f(x) − x, which may be absent, of one row.
template <UnaryRule rule>
void parametric_row(const float* x, const float* share, float* y, float* bend, size_t columns) {
  for (size_t i = 0; i < columns; i += F::N) {
    const size_t count = smaller_of(F::N, columns - i);
    const F at = load_part(x + i, count);
    const F bent = sub(rule(at), at);
    if (bend != nullptr) store_part(bend + i, bent, count);
    store_part(y + i, add(at, mul(bent, load_part(share + i, count))), count);
  }
}

// dx = (g − g·share) + (g·share)·f′(x) of one row, and the terms g·bend of the shares, which are added to `chain`. dx
// may be any of the others.
template <UnaryRule slope>
void parametric_gradient_row(const float* g, const float* x, const float* share, const float* bend, float* dx,
                             float* chain, size_t columns) {
  for (size_t i = 0; i < columns; i += F::N) {
    const size_t count = smaller_of(F::N, columns - i);
    const F flow = load_part(g + i, count);
    const F part = mul(flow, load_part(share + i, count));
    store_part(chain + i, add(load_part(chain + i, count), mul(flow, load_part(bend + i, count))), count);
    const F straight = add(flow, negate(part));
    store_part(dx + i, add(straight, mul(part, slope(load_part(x + i, count)))), count);
  }
}
