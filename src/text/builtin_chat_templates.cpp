// Chat templates for checkpoints that bring none. Each takes texts and lists of parts, and writes <image> and a new line
// for every image (<video> for every video) before the text of its turn, as LLaVA was trained.
#include "text/chat_template.h"

namespace sensorium::text {
namespace {

// The text of a turn, put in front of each template.
#define SENSORIUM_CONTENT                                                               \
  "{%- macro body(content) -%}"                                                         \
  "{%- if content is string -%}{{ content }}{%- else -%}"                               \
  "{%- for part in content if part.type == 'image' -%}{{ '<image>\\n' }}{%- endfor -%}" \
  "{%- for part in content if part.type == 'video' -%}{{ '<video>\\n' }}{%- endfor -%}" \
  "{%- for part in content if part.type == 'text' -%}{{ part.text }}{%- endfor -%}"     \
  "{%- endif -%}"                                                                       \
  "{%- endmacro -%}"

// Source: conversation.py of LLaVA, "vicuna_v1" and "llava_v1" with SeparatorStyle.TWO.
constexpr std::string_view kVicuna = SENSORIUM_CONTENT R"(
{%- set turns = messages -%}
{{- bos_token -}}
{%- if messages and messages[0].role == 'system' -%}
  {{- body(messages[0].content) -}}
  {%- set turns = messages[1:] -%}
{%- else -%}
  {{- default_system -}}
{%- endif -%}
{{- ' ' -}}
{%- for message in turns -%}
  {%- if message.role == 'user' -%}
    {{- 'USER: ' ~ body(message.content) ~ ' ' -}}
  {%- elif message.role == 'assistant' -%}
    {{- 'ASSISTANT: ' -}}{%- generation -%}{{- body(message.content) ~ eos_token -}}{%- endgeneration -%}
  {%- else -%}
    {{- raise_exception("unknown role '" ~ message.role ~ "'") -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- 'ASSISTANT:' -}}{%- endif -%})";

// The system text stands in the first turn of the user; turns alternate. Source: Llama 2's generation.py.
constexpr std::string_view kLlama2 = SENSORIUM_CONTENT R"(
{%- set turns = messages -%}
{%- set system = '' -%}
{%- if messages and messages[0].role == 'system' -%}
  {%- set system = '<<SYS>>\n' ~ body(messages[0].content) ~ '\n<</SYS>>\n\n' -%}
  {%- set turns = messages[1:] -%}
{%- endif -%}
{%- for message in turns -%}
  {%- if message.role != ('user' if loop.index0 is even else 'assistant') -%}
    {{- raise_exception('user and assistant must take turns, the user first') -}}
  {%- endif -%}
  {%- if message.role == 'user' -%}
    {{- bos_token ~ '[INST] ' ~ ((system if loop.first else '') ~ body(message.content)) | trim ~ ' [/INST]' -}}
  {%- else -%}
    {%- generation -%}{{- ' ' ~ body(message.content) | trim ~ ' ' ~ eos_token -}}{%- endgeneration -%}
  {%- endif -%}
{%- endfor -%})";

// Source: Llama 3's model card; conversation.py of LLaVA-NeXT, "llava_llama_3".
constexpr std::string_view kLlama3 = SENSORIUM_CONTENT R"(
{{- bos_token -}}
{%- if default_system and not (messages and messages[0].role == 'system') -%}
  {{- '<|start_header_id|>system<|end_header_id|>\n\n' ~ default_system ~ '<|eot_id|>' -}}
{%- endif -%}
{%- for message in messages -%}
  {{- '<|start_header_id|>' ~ message.role ~ '<|end_header_id|>\n\n' -}}
  {%- if message.role == 'assistant' -%}
    {%- generation -%}{{- body(message.content) | trim ~ '<|eot_id|>' -}}{%- endgeneration -%}
  {%- else -%}
    {{- body(message.content) | trim ~ '<|eot_id|>' -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}{%- endif -%})";

// Source: the model card of Mistral-7B-Instruct-v0.2; a system text goes in front of the first turn.
constexpr std::string_view kMistral = SENSORIUM_CONTENT R"(
{%- set turns = messages -%}
{%- set system = '' -%}
{%- if messages and messages[0].role == 'system' -%}
  {%- set system = body(messages[0].content) ~ '\n\n' -%}
  {%- set turns = messages[1:] -%}
{%- endif -%}
{{- bos_token -}}
{%- for message in turns -%}
  {%- if message.role != ('user' if loop.index0 is even else 'assistant') -%}
    {{- raise_exception('user and assistant must take turns, the user first') -}}
  {%- endif -%}
  {%- if message.role == 'user' -%}
    {{- '[INST] ' ~ (system if loop.first else '') ~ body(message.content) ~ ' [/INST]' -}}
  {%- else -%}
    {%- generation -%}{{- ' ' ~ body(message.content) | trim ~ eos_token -}}{%- endgeneration -%}
  {%- endif -%}
{%- endfor -%})";

// Source: OpenAI's ChatML; the model cards of Qwen; conversation.py of LLaVA ("chatml_direct") and LLaVA-NeXT ("qwen_1_5").
constexpr std::string_view kChatml = SENSORIUM_CONTENT R"(
{%- if default_system and not (messages and messages[0].role == 'system') -%}
  {{- '<|im_start|>system\n' ~ default_system ~ '<|im_end|>' ~ turn_end -}}
{%- endif -%}
{%- for message in messages -%}
  {{- '<|im_start|>' ~ message.role ~ '\n' -}}
  {%- if message.role == 'assistant' -%}
    {%- generation -%}{{- body(message.content) ~ '<|im_end|>' -}}{%- endgeneration -%}
  {%- else -%}
    {{- body(message.content) ~ '<|im_end|>' -}}
  {%- endif -%}
  {{- turn_end -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%})";

// Pictures, and the answer behind them; what the user asks is not written. Source: conversation.py of LLaVA, SeparatorStyle.PLAIN,
// and preprocess_plain() of its training.
constexpr std::string_view kPlain =
    "{{- bos_token -}}"
    "{%- for message in messages -%}"
    "{%- if message.role == 'user' and message.content is not string -%}"
    "{%- for part in message.content if part.type == 'image' -%}{{ '<image>' }}{%- endfor -%}"
    "{%- elif message.role == 'assistant' -%}{%- generation -%}"
    "{%- if message.content is string -%}{{ message.content }}{%- else -%}"
    "{%- for part in message.content if part.type == 'text' -%}{{ part.text }}{%- endfor -%}{%- endif -%}"
    "{{- '\\n' -}}{%- endgeneration -%}{%- endif -%}"
    "{%- endfor -%}";

#undef SENSORIUM_CONTENT

constexpr std::string_view kCuriousUser =
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and "
    "polite answers to the user's questions.";
constexpr std::string_view kCuriousHuman =
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and polite answers to the human's questions.";
constexpr std::string_view kVisionAssistant =
    "You are a helpful language and vision assistant. You are able to understand the visual content that the user "
    "provides, and assist the user with a variety of tasks using natural language.";

constexpr BuiltinChatTemplate kTemplates[] = {
    {"vicuna", "Vicuna 1.x, LLaVA 1.5 and 1.6 in evaluations", kVicuna, "<s>", "</s>", kCuriousUser, ""},
    {"llava-v1", "LLaVA 1.5, LLaVA 1.6 on Vicuna", kVicuna, "<s>", "</s>", kCuriousHuman, ""},
    {"llama-2", "Llama 2 Chat", kLlama2, "<s>", "</s>", "", ""},
    {"llama-3", "Llama 3 Instruct", kLlama3, "<|begin_of_text|>", "<|eot_id|>", "", ""},
    {"llava-llama-3", "LLaVA-NeXT on Llama 3", kLlama3, "<|begin_of_text|>", "<|eot_id|>", kVisionAssistant, ""},
    {"mistral", "Mistral Instruct, LLaVA 1.6 on Mistral", kMistral, "<s>", "</s>", "", ""},
    {"chatml", "Yi, Hermes", kChatml, "", "<|im_end|>", "", "\n"},
    {"chatml-direct", "LLaVA 1.6 on Yi", kChatml, "", "<|im_end|>", "Answer the questions.", ""},
    {"plain", "LLaVA's projector, in its first stage", kPlain, "", "", "", ""},
    {"qwen", "Qwen, LLaVA-OneVision", kChatml, "", "<|im_end|>", "You are a helpful assistant.", "\n"},
};

}  // namespace

std::span<const BuiltinChatTemplate> builtin_chat_templates() { return kTemplates; }

}  // namespace sensorium::text
