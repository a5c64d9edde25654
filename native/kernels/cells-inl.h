// Steps of recurrent cells, row by row: what the input gives (gates) and what the state gives (t) are added, then the
// functions. Formulas at ops/recurrence.cc. States, cells and flows are flushed.

CARILLON_INLINE F take(const float* p, size_t count) { return count == F::N ? load(p) : load_part(p, count); }
CARILLON_INLINE void put(float* p, F x, size_t count) {
  if (count == F::N) {
    store(p, x);
  } else {
    store_part(p, x, count);
  }
}
CARILLON_INLINE F take_or_zero(const float* p, size_t j, size_t count) {
  return p == nullptr ? zero() : take(p + j, count);
}
CARILLON_INLINE size_t lanes_from(size_t j, size_t hidden) { return smaller_of(F::N, hidden - j); }

CARILLON_INLINE void put_state(const CellStep& s, size_t j, size_t count, F h) {
  put(s.h + j, h, count);
  put(s.y + j, h, count);
  if (s.mask != nullptr) put(s.fed + j, mul(h, take(s.mask + j, count)), count);
}

// s·(1 − s), and 1 − t² of a hyperbolic tangent.
CARILLON_INLINE F sigmoid_slope_of(F s) { return mul(s, sub(splat(1.0f), s)); }
CARILLON_INLINE F tanh_slope_of(F t) { return fnma(t, t, splat(1.0f)); }

// The flow to the state after a step; `kept` where a part of the state reaches the next one beside the products.
template <bool kept>
CARILLON_INLINE F flow_to_state(const CellBack& s, size_t j, size_t count) {
  F flow = zero();
  if (s.t == nullptr) {
    flow = take(s.dh + j, count);
  } else {
    flow = take(s.t + j, count);
    if (s.mask != nullptr) flow = mul(flow, take(s.mask + j, count));
    if (kept) flow = add(take(s.dh + j, count), flow);
  }
  return flush(s.dy == nullptr ? flow : add(flow, take(s.dy + j, count)));
}

// ---- LSTM

void lstm_step(const CellStep& s) {
  const size_t h = s.hidden;
  for (size_t j = 0; j < h; j += F::N) {
    const size_t count = lanes_from(j, h);
    float* const gates = s.gates + j;
    const float* const t = s.t + j;
    const F i = sigmoid(add(take(gates, count), take(t, count)));
    const F f = sigmoid(add(take(gates + h, count), take(t + h, count)));
    const F g = tanh(add(take(gates + 2 * h, count), take(t + 2 * h, count)));
    const F o = sigmoid(add(take(gates + 3 * h, count), take(t + 3 * h, count)));
    const F c = flush(fma(f, take(s.c + j, count), mul(i, g)));
    put(gates, i, count);
    put(gates + h, f, count);
    put(gates + 2 * h, g, count);
    put(gates + 3 * h, o, count);
    put(s.c + j, c, count);
    put(s.cell + j, c, count);
    put_state(s, j, count, flush(mul(o, tanh(c))));
  }
}

void lstm_back(const CellBack& s) {
  const size_t h = s.hidden;
  for (size_t j = 0; j < h; j += F::N) {
    const size_t count = lanes_from(j, h);
    float* const gates = s.gates + j;
    const F i = take(gates, count), f = take(gates + h, count), g = take(gates + 2 * h, count),
            o = take(gates + 3 * h, count);
    const F dh = flow_to_state<false>(s, j, count);
    const F bent = tanh(take(s.c + j, count));
    const F dc = fma(mul(dh, o), tanh_slope_of(bent), take(s.dc + j, count));
    const F flows[4] = {flush(mul(mul(dc, g), sigmoid_slope_of(i))),
                        flush(mul(mul(dc, take_or_zero(s.before, j, count)), sigmoid_slope_of(f))),
                        flush(mul(mul(dc, i), tanh_slope_of(g))), flush(mul(mul(dh, bent), sigmoid_slope_of(o)))};
    CARILLON_UNROLL
    for (size_t k = 0; k < 4; ++k) {
      put(gates + k * h, flows[k], count);
      put(s.flow + k * h + j, flows[k], count);
    }
    put(s.dc + j, flush(mul(dc, f)), count);
  }
}

// ---- GRU

void gru_step(const CellStep& s) {
  const size_t h = s.hidden;
  for (size_t j = 0; j < h; j += F::N) {
    const size_t count = lanes_from(j, h);
    float* const gates = s.gates + j;
    const float* const t = s.t + j;
    const F r = sigmoid(add(take(gates + s.reset, count), take(t + s.reset, count)));
    const F u = sigmoid(add(take(gates + s.update, count), take(t + s.update, count)));
    F kept = take(t + 2 * h, count);
    if (s.bias != nullptr) kept = add(kept, take(s.bias + j, count));
    const F n = tanh(fma(r, kept, take(gates + 2 * h, count)));
    const F before = take(s.h + j, count);
    put(gates + s.reset, r, count);
    put(gates + s.update, u, count);
    put(gates + 2 * h, n, count);
    put(gates + 3 * h, kept, count);
    put_state(s, j, count, flush(fma(u, sub(before, n), n)));
  }
}

void gru_back(const CellBack& s) {
  const size_t h = s.hidden;
  for (size_t j = 0; j < h; j += F::N) {
    const size_t count = lanes_from(j, h);
    float* const gates = s.gates + j;
    const F r = take(gates + s.reset, count), u = take(gates + s.update, count), n = take(gates + 2 * h, count),
            kept = take(gates + 3 * h, count);
    const F dh = flow_to_state<true>(s, j, count);
    const F dn = flush(mul(mul(dh, sub(splat(1.0f), u)), tanh_slope_of(n)));
    const F du = flush(mul(mul(dh, sub(take_or_zero(s.before, j, count), n)), sigmoid_slope_of(u)));
    const F dr = flush(mul(mul(dn, kept), sigmoid_slope_of(r)));
    const F dkept = flush(mul(dn, r));
    put(gates + s.reset, dr, count);
    put(gates + s.update, du, count);
    put(gates + 2 * h, dn, count);
    put(gates + 3 * h, dkept, count);
    put(s.flow + s.reset + j, dr, count);
    put(s.flow + s.update + j, du, count);
    put(s.flow + 2 * h + j, dkept, count);
    put(s.dh + j, flush(mul(dh, u)), count);
  }
}

void gru_before_step(const CellStep& s) {
  const size_t h = s.hidden;
  for (size_t j = 0; j < h; j += F::N) {
    const size_t count = lanes_from(j, h);
    float* const gates = s.gates + j;
    const float* const t = s.t + j;
    const F r = sigmoid(add(take(gates + s.reset, count), take(t + s.reset, count)));
    const F u = sigmoid(add(take(gates + s.update, count), take(t + s.update, count)));
    const F reset = flush(mul(r, take((s.mask == nullptr ? s.h : s.fed) + j, count)));
    put(gates + s.reset, r, count);
    put(gates + s.update, u, count);
    put(gates + 3 * h, reset, count);
    put(s.reset_state + j, reset, count);
  }
}

void gru_candidate(const CellStep& s) {
  const size_t h = s.hidden;
  for (size_t j = 0; j < h; j += F::N) {
    const size_t count = lanes_from(j, h);
    float* const gates = s.gates + j;
    const F u = take(gates + s.update, count);
    const F n = tanh(add(take(gates + 2 * h, count), take(s.t + j, count)));
    put(gates + 2 * h, n, count);
    put_state(s, j, count, flush(fma(u, sub(take(s.h + j, count), n), n)));
  }
}

// The candidate and the update gate: the flow to n's product; the reset gate is still what it was.
void gru_before_back(const CellBack& s) {
  const size_t h = s.hidden;
  for (size_t j = 0; j < h; j += F::N) {
    const size_t count = lanes_from(j, h);
    float* const gates = s.gates + j;
    const F u = take(gates + s.update, count), n = take(gates + 2 * h, count);
    const F dh = flow_to_state<true>(s, j, count);
    const F dn = flush(mul(mul(dh, sub(splat(1.0f), u)), tanh_slope_of(n)));
    const F du = flush(mul(mul(dh, sub(take_or_zero(s.before, j, count), n)), sigmoid_slope_of(u)));
    put(gates + s.update, du, count);
    put(gates + 2 * h, dn, count);
    put(s.flow + s.update + j, du, count);
    put(s.flow + 2 * h + j, dn, count);
    put(s.dh + j, flush(mul(dh, u)), count);
  }
}

// t: the flow to r·(h·mask).
void gru_reset_back(const CellBack& s) {
  const size_t h = s.hidden;
  for (size_t j = 0; j < h; j += F::N) {
    const size_t count = lanes_from(j, h);
    const F r = take(s.gates + s.reset + j, count), t = take(s.t + j, count);
    F before = take_or_zero(s.before, j, count);
    F back = mul(t, r);
    if (s.mask != nullptr) {
      const F mask = take(s.mask + j, count);
      before = mul(before, mask);
      back = mul(back, mask);
    }
    const F dr = flush(mul(mul(t, before), sigmoid_slope_of(r)));
    put(s.gates + s.reset + j, dr, count);
    put(s.flow + s.reset + j, dr, count);
    put(s.dh + j, flush(add(take(s.dh + j, count), back)), count);
  }
}

// ---- RNN

template <F (*function)(F)>
CARILLON_INLINE void rnn_step(const CellStep& s) {
  for (size_t j = 0; j < s.hidden; j += F::N) {
    const size_t count = lanes_from(j, s.hidden);
    const F h = flush(function(add(take(s.gates + j, count), take(s.t + j, count))));
    put(s.gates + j, h, count);
    put_state(s, j, count, h);
  }
}

template <bool rectified>
CARILLON_INLINE void rnn_back(const CellBack& s) {
  for (size_t j = 0; j < s.hidden; j += F::N) {
    const size_t count = lanes_from(j, s.hidden);
    const F h = take(s.gates + j, count);
    const F dh = flow_to_state<false>(s, j, count);
    const F flow =
        rectified ? select(less(zero(), h), dh, select(unordered(h, h), h, zero())) : flush(mul(dh, tanh_slope_of(h)));
    put(s.gates + j, flow, count);
    put(s.flow + j, flow, count);
  }
}

void rnn_tanh_step(const CellStep& s) { rnn_step<tanh>(s); }
void rnn_relu_step(const CellStep& s) { rnn_step<relu>(s); }
void rnn_tanh_back(const CellBack& s) { rnn_back<false>(s); }
void rnn_relu_back(const CellBack& s) { rnn_back<true>(s); }
