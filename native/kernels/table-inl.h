// The kernels of one ISA as a table. Included last by isa/<isa>.cc.

constexpr KernelTable make_table(const char* name) noexcept {
  return KernelTable{
      .name = name,
      .width = F::N,
      .unary =
          {
#define X(rule) unary_map<rule>,
#include "unary.def"
#undef X
          },
      .binary =
          {
#define X(rule) {binary_vector_vector<rule>, binary_vector_scalar<rule>, binary_scalar_vector<rule>},
#include "binary.def"
#undef X
          },
      .where_f32 = where_f32,
      .transpose_f32 = transpose_f32,
      .fill_f32 = fill_f32,
      .average_f32 = average_f32,
      .convert_u8_f32 = convert_u8_f32,
      .sum_f32 = sum_f32,
      .sum_squares_f32 = sum_squares_f32,
      .column_sum_f32 = column_sum_f32,
      .column_block_sums_f32 = column_block_sums_f32,
      .rows_sum_f32 = rows_sum_f32,
      .rows_squares_f32 = rows_squares_f32,
      .softmax_f32 = softmax_f32,
      .log_softmax_f32 = log_softmax_f32,
      .softmax_cross_entropy_f32 = softmax_cross_entropy_f32,
      .softmax_cross_entropy_gradient_f32 = softmax_cross_entropy_gradient_f32,
      .softmax_cross_entropy_both_f32 = softmax_cross_entropy_both_f32,
      .argmax_f32 = argmax_f32,
      .row_norm_f32 = row_norm_f32,
      .row_norm_gradient_f32 = row_norm_gradient_f32,
      .norm_sums_f32 = norm_sums_f32,
      .column_deviations_f32 = column_deviations_f32,
      .column_norm_f32 = column_norm_f32,
      .column_norm_gradient_f32 = column_norm_gradient_f32,
      .cell_step = {lstm_step, gru_step, gru_before_step, rnn_tanh_step, rnn_relu_step},
      .cell_back = {lstm_back, gru_back, gru_before_back, rnn_tanh_back, rnn_relu_back},
      .gru_candidate = gru_candidate,
      .gru_reset_back = gru_reset_back,
      .periodic_f32 = periodic_f32,
      .periodic_gradient_f32 = periodic_gradient_f32,
      .parametric_selu = {parametric_row<selu>, parametric_gradient_row<selu_slope>},
      .parametric_mish = {parametric_row<mish>, parametric_gradient_row<mish_slope>},
      .dropout_f32 = dropout_f32,
      .dropout_mask_bits = dropout_mask_bits,
      .noise_f32 = noise_f32,
      .shuffle_words = shuffle_words,
      .depthwise_f32 = depthwise_f32,
      .depthwise_weight_f32 = depthwise_weight_f32,
      .max_pool_f32 = pool_rows<PoolStep::largest>,
      .max_pool_picked_f32 = pool_rows<PoolStep::picked>,
      .max_pool_gradient_f32 = pool_rows<PoolStep::largest_gradient>,
      .average_pool_f32 = pool_rows<PoolStep::average>,
      .average_pool_gradient_f32 = pool_rows<PoolStep::average_gradient>,
      .gemm_columns = kGemmColumns,
      .gemm_rows = kGemmRows,
      .gemm_few = kGemmFew,
      .gemm_group = kLanes,
      .gemm_pack_right_f32 = gemm_pack_right_f32,
      .gemm_pack_left_f32 = gemm_pack_left_f32,
      .gemm_f32 = gemm_f32,
      .gemm_few_f32 = gemm_few_f32,
      .attention_softmax_f32 = attention_softmax_f32,
      .attention_again_f32 = attention_again_f32,
      .attention_back_f32 = attention_back_f32,
      .attention_product_f32 = attention_product_f32,
      .frozen_rows = kFrozenRows,
      .frozen_panels = frozen_panels_at_once(1),
      .frozen_product = {frozen_product<WeightForm::f32>, frozen_product<WeightForm::bf16>,
                         frozen_product<WeightForm::int8>},
      .frozen_finish = frozen_finish,
      .frozen_widen = {frozen_widen<WeightForm::f32>, frozen_widen<WeightForm::bf16>, frozen_widen<WeightForm::int8>},
      .frozen_pack = {frozen_pack<WeightForm::f32>, frozen_pack<WeightForm::bf16>, frozen_pack<WeightForm::int8>},
      .update =
          {
#define X(rule, states) update<optimizer_rules::rule, states>,
#include "optimizers.def"
#undef X
          },
  };
}
