// Where an update has its operands: a program looks at its lanes too.
#pragma once

#include "operation.h"

namespace carillon {

struct UpdateAt {
  static constexpr Operands all{
      "parameters:M gradients:f states[3]:M? average:M? gradient_scale:f? penalty:F? count:i? rows:i? indices:i? "
      "weights:f? ends:i? squares:F?",
      "count:d? lists:d? rule:optimizers lane:i constants:# scalars:i average_lane:b? decay_lane:i? reach:reaches? "
      "room:i? "
      "width:i? padding:i?-1 bags:bags? gaps:b? segments*(offset,rows,columns,metric:b)",
      "constants[8] clip_value average_decay? "
      "segments*(l2,l1,decay,scheduled_decay,shrink,max_norm,penalty_squares,penalty_absolutes)"};
  static constexpr size_t parameters = all.view("parameters"), gradients = all.view("gradients"),
                          states = all.view("states"), average = all.view("average"),
                          gradient_scale = all.view("gradient_scale"), penalty = all.view("penalty"),
                          touched = all.view("count"), row_numbers = all.view("rows"), squares = all.view("squares");
  static constexpr size_t rule = all.integer("rule"), lane = all.integer("lane"), constants = all.integer("constants"),
                          scalars = all.integer("scalars"), average_lane = all.integer("average_lane"),
                          decay_lane = all.integer("decay_lane"), reach = all.integer("reach"),
                          room = all.integer("room");
  // Of look_ups().
  static constexpr size_t gradient = gradients, indices = all.view("indices"), weights = all.view("weights"),
                          ends = all.view("ends");
  static constexpr size_t count = all.integer("count"), lists = all.integer("lists"), width = all.integer("width"),
                          padding = all.integer("padding"), bags = all.integer("bags"), gaps = all.integer("gaps");
  static constexpr size_t constants_room = all.number("constants"), clip_value = all.number("clip_value"),
                          average_decay = all.number("average_decay");
};

// Lanes: the rate's, behind it those of the rule's scalars, and where `average_lane` says so the decay of the average.
// Scheduled decays are multiplied by the lane `decay_lane` − 1; where it is 0 there are none.
inline size_t last_lane(const Arguments& a) {
  const size_t own = a.size(UpdateAt::lane) + a.size(UpdateAt::scalars) + a.size(UpdateAt::average_lane);
  return std::max<size_t>(own, a.size(UpdateAt::decay_lane) == 0 ? 0 : a.size(UpdateAt::decay_lane) - 1);
}

}  // namespace carillon
