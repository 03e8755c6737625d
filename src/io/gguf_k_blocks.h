// f32 to GGUF's blocks of 256 elements. Levels and scales are chosen for the least weighted square error, by the search of
// ggml's reference (quantize_row_q4_K_ref and its neighbours), each step rounded to f32.
#pragma once

#include <cstdint>

namespace sensorium::io {

// 256 finite values to one block (144, 176 and 210 bytes; layouts in gguf_blocks.cpp). False if a scale does not fit an f16.
bool encode_q4_k(const float* values, uint8_t* block);
bool encode_q5_k(const float* values, uint8_t* block);
bool encode_q6_k(const float* values, uint8_t* block);

}  // namespace sensorium::io
