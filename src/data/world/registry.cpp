#include "data/world/kinds.h"

namespace sensorium::data {
namespace {

constexpr WorldKind kKinds[] = {
    {"shapes", "one to eight shapes and simple things: names, colours, sizes, counts", compose_shapes, describe_shapes},
    {"counting", "one to twenty equal objects", compose_counting, describe_counting},
    {"relations", "left of, above, inside, larger", compose_relations, describe_relations},
    {"digits", "handwritten digits and numbers", compose_digits, describe_digits},
    {"words", "printed and handwritten words", compose_words, describe_words},
    {"blocks", "three boxes with blocks or towers, statements true or false", compose_blocks, describe_blocks},
    {"site", "people on a building site with and without helmets", compose_site, describe_site},
    {"parts", "machine parts with and without defects", compose_parts, describe_parts},
    {"cells", "blood cells under a microscope", compose_cells, describe_cells},
};

}  // namespace

std::span<const WorldKind> world_kinds() { return kKinds; }

}  // namespace sensorium::data
