#include <array>

#include "server/routes/chat_completions.h"
#include "server/routes/completions.h"
#include "server/routes/conversation_routes.h"
#include "server/routes/embeddings.h"
#include "server/routes/files.h"
#include "server/routes/gemini.h"
#include "server/routes/gemini_embeddings.h"
#include "server/routes/gemini_files.h"
#include "server/routes/ollama.h"
#include "server/routes/page.h"
#include "server/routes/responses.h"
#include "server/routes/route.h"
#include "server/routes/search.h"
#include "server/routes/system_routes.h"
#include "server/routes/transcriptions.h"
#include "server/routes/unavailable.h"

namespace sensorium::server {
namespace {

using Access = Route::Access;
using Place = Route::Place;
constexpr std::span<const Field> kNoBody;

constexpr std::array kRoutes = std::to_array<Route>({
    {"POST", "/v1/chat/completions", Access::key, Place::worker, Dialect::openai, "OpenAI",
     "Goes on with a conversation about texts, pictures and films.", kChatFields, chat_completions},
    {"POST", "/v1/completions", Access::key, Place::worker, Dialect::openai, "OpenAI",
     "Goes on with a text, without roles.", kCompletionFields, completions},
    {"POST", "/v1/responses", Access::key, Place::worker, Dialect::openai, "OpenAI",
     "Answers as /v1/chat/completions, in items.", kResponsesFields, responses},
    {"POST", "/v1/files", Access::key, Place::worker, Dialect::openai, "OpenAI",
     "Uploads a file as multipart/form-data: the parts file and purpose.", kNoBody, upload_file},
    {"GET", "/v1/files", Access::key, Place::worker, Dialect::openai, "OpenAI", "The client's uploaded files.", kNoBody,
     list_files},
    {"GET", "/v1/files/{file_id}/content", Access::key, Place::worker, Dialect::openai, "OpenAI", "A file's bytes.",
     kNoBody, get_file_content},
    {"GET", "/v1/files/{file_id}", Access::key, Place::worker, Dialect::openai, "OpenAI", "What is known of a file.",
     kNoBody, get_file},
    {"DELETE", "/v1/files/{file_id}", Access::key, Place::worker, Dialect::openai, "OpenAI", "Deletes a file.", kNoBody,
     delete_file},
    {"POST", "/v1/embeddings", Access::key, Place::worker, Dialect::openai, "OpenAI",
     "Vectors of texts, pictures, sounds and films, of unit length.", kEmbeddingFields, embeddings},
    {"POST", "/v1/audio/transcriptions", Access::key, Place::worker, Dialect::openai, "OpenAI",
     "What a model that hears says of a sound, as multipart/form-data: the parts file and model; prompt (a question "
     "instead of the "
     "usual one), response_format (json, text, verbose_json), temperature, language, stream.",
     kNoBody, transcribe},
    {"POST", "/v1/audio/speech", Access::key, Place::loop, Dialect::openai, "OpenAI",
     "Speech needs a model with sound as output. No family of models that this version loads has it: status 400, code "
     "unsupported_model.",
     kNoBody, no_speech, 400},
    {"POST", "/v1/images/generations", Access::key, Place::loop, Dialect::openai, "OpenAI",
     "Pictures need a model with pictures as output. No family of models that this version loads has it: status 400, "
     "code "
     "unsupported_model.",
     kNoBody, no_image_generation, 400},
    {"GET", "/v1/models", Access::key, Place::loop, Dialect::openai, "OpenAI",
     "The models by name, and what each says of itself.", kNoBody, list_models},
    {"GET", "/v1/models/{model...}", Access::key, Place::loop, Dialect::openai, "OpenAI", "One model.", kNoBody,
     get_model},
    {"POST", "/v1beta/models/{model}:generateContent", Access::key, Place::worker, Dialect::gemini, "Gemini",
     "Goes on with a conversation.", kGeminiFields, gemini_generate},
    {"POST", "/v1beta/models/{model}:streamGenerateContent", Access::key, Place::worker, Dialect::gemini, "Gemini",
     "The same in pieces: a list, or with ?alt=sse server-sent events.", kGeminiFields, gemini_stream},
    {"POST", "/v1beta/models/{model}:countTokens", Access::key, Place::worker, Dialect::gemini, "Gemini",
     "How many tokens a prompt has for the model, its pictures included.", kGeminiCountFields, gemini_count},
    {"POST", "/v1beta/models/{model}:embedContent", Access::key, Place::worker, Dialect::gemini, "Gemini",
     "The vector of a content, of unit length.", kGeminiEmbedFields, gemini_embed},
    {"POST", "/v1beta/models/{model}:batchEmbedContents", Access::key, Place::worker, Dialect::gemini, "Gemini",
     "The vectors of several.", kGeminiBatchEmbedFields, gemini_batch_embed},
    {"POST", "/v1/models/{model}:generateContent", Access::key, Place::worker, Dialect::gemini, "Gemini",
     "The same under the path that newer clients use.", kGeminiFields, gemini_generate},
    {"POST", "/v1/models/{model}:streamGenerateContent", Access::key, Place::worker, Dialect::gemini, "Gemini",
     "The same under the path that newer clients use.", kGeminiFields, gemini_stream},
    {"POST", "/v1/models/{model}:countTokens", Access::key, Place::worker, Dialect::gemini, "Gemini",
     "The same under the path that newer clients use.", kGeminiCountFields, gemini_count},
    {"POST", "/v1/models/{model}:embedContent", Access::key, Place::worker, Dialect::gemini, "Gemini",
     "The same under the path that newer clients use.", kGeminiEmbedFields, gemini_embed},
    {"POST", "/v1/models/{model}:batchEmbedContents", Access::key, Place::worker, Dialect::gemini, "Gemini",
     "The same under the path that newer clients use.", kGeminiBatchEmbedFields, gemini_batch_embed},
    {"POST", "/upload/v1beta/files", Access::key, Place::worker, Dialect::gemini, "Gemini",
     "Begins an upload, in the way of Google's clients; X-Goog-Upload-URL says where its bytes go.", kUploadFields,
     begin_upload},
    {"POST", "/upload/v1/files", Access::key, Place::worker, Dialect::gemini, "Gemini",
     "Begins an upload, in the way of Google's clients; X-Goog-Upload-URL says where its bytes go.", kUploadFields,
     begin_upload},
    {"POST", "/upload/files/{upload_id}", Access::open, Place::worker, Dialect::gemini, "Gemini",
     "A piece of an upload; its id, which nobody can guess, is the key.", kNoBody, continue_upload},
    {"GET", "/v1beta/files", Access::key, Place::worker, Dialect::gemini, "Gemini", "As /v1/files.", kNoBody,
     list_files},
    {"GET", "/v1beta/files/{file_id}", Access::key, Place::worker, Dialect::gemini, "Gemini", "As /v1/files/{file_id}.",
     kNoBody, get_file},
    {"DELETE", "/v1beta/files/{file_id}", Access::key, Place::worker, Dialect::gemini, "Gemini",
     "As /v1/files/{file_id}.", kNoBody, delete_file},
    {"GET", "/v1beta/models", Access::key, Place::loop, Dialect::gemini, "Gemini", "The models.", kNoBody,
     gemini_models},
    {"GET", "/v1beta/models/{model...}", Access::key, Place::loop, Dialect::gemini, "Gemini", "One model.", kNoBody,
     gemini_model},
    {"POST", "/api/chat", Access::key, Place::worker, Dialect::ollama, "Ollama", "Goes on with a conversation.",
     kOllamaChatFields, ollama_chat},
    {"POST", "/api/generate", Access::key, Place::worker, Dialect::ollama, "Ollama",
     "Answers one prompt, or goes on with it as it stands.", kOllamaGenerateFields, ollama_generate},
    {"GET", "/api/tags", Access::key, Place::loop, Dialect::ollama, "Ollama", "The models.", kNoBody, ollama_tags},
    {"GET", "/api/version", Access::open, Place::loop, Dialect::ollama, "Ollama", "The program's version.", kNoBody,
     ollama_version},
    {"GET", "/api/search", Access::key, Place::loop, Dialect::openai, "Search",
     "Whether the server searches a folder (--index), by which model, and the senses that it has.", kNoBody,
     get_search},
    {"POST", "/api/search", Access::key, Place::worker, Dialect::openai, "Search",
     "The files of the folder that are nearest to a text, a picture, a sound or a film.", kSearchFields, search_folder},
    {"GET", "/api/search/files/{path...}", Access::key, Place::worker, Dialect::openai, "Search",
     "A file of the folder that search finds; a range of bytes, where one is asked for.", kNoBody, get_searched_file},
    {"GET", "/api/conversations", Access::key, Place::worker, Dialect::openai, "Conversations",
     "The client's conversations, the last changed first (?limit=50&offset=0).", kNoBody, list_conversations},
    {"POST", "/api/conversations", Access::key, Place::worker, Dialect::openai, "Conversations", "Begins one.",
     kConversationFields, create_conversation},
    {"GET", "/api/conversations/{id}", Access::key, Place::worker, Dialect::openai, "Conversations",
     "One with its messages.", kNoBody, get_conversation},
    {"PUT", "/api/conversations/{id}", Access::key, Place::worker, Dialect::openai, "Conversations",
     "Begins one with an id of the client's, or gives it another title.", kConversationFields, put_conversation},
    {"DELETE", "/api/conversations/{id}", Access::key, Place::worker, Dialect::openai, "Conversations", "Deletes one.",
     kNoBody, delete_conversation},
    {"GET", "/api/conversations/{id}/export", Access::key, Place::worker, Dialect::openai, "Conversations",
     "As a file: ?format=json or markdown.", kNoBody, export_conversation},
    {"PUT", "/api/conversations/{id}/messages/{message_id}", Access::key, Place::worker, Dialect::openai,
     "Conversations", "Adds a message at the end, or changes the one with this id.", kMessageFields, put_message},
    {"DELETE", "/api/conversations/{id}/messages/{message_id}", Access::key, Place::worker, Dialect::openai,
     "Conversations", "Deletes a message.", kNoBody, delete_message},
    {"GET", "/", Access::open, Place::worker, Dialect::openai, "Page", "The web page.", kNoBody, get_page},
    {"GET", "/web/{path...}", Access::open, Place::worker, Dialect::openai, "Page", "A file of the web page.", kNoBody,
     get_web_file},
    {"GET", "/health", Access::open, Place::loop, Dialect::openai, "Operation", "Status 200 while the process answers.",
     kNoBody, get_health},
    {"GET", "/ready", Access::open, Place::loop, Dialect::openai, "Operation",
     "Status 200 once the default model is loaded, 503 before and while the server is being stopped.", kNoBody,
     get_ready},
    {"GET", "/version", Access::open, Place::loop, Dialect::openai, "Operation", "The program's version.", kNoBody,
     get_version},
    {"GET", "/metrics", Access::key, Place::loop, Dialect::openai, "Operation",
     "Counts and times in Prometheus' text format.", kNoBody, get_metrics},
    {"GET", "/openapi.json", Access::open, Place::loop, Dialect::openai, "Operation",
     "This description as OpenAPI 3.1 document.", kNoBody, get_openapi},
});

}  // namespace

std::span<const Route> routes() { return kRoutes; }

}  // namespace sensorium::server
