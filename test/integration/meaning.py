"""What a span must say of a model call, worked out from what the SDK itself reported of it (see clients/calls).

    api = APIS["anthropic"]
    expected(api, said)        # {attribute: value, or ABSENT, or SOME}

The names are OpenTelemetry's for generative AI. Each provider counts tokens its own way; the convention wants all
tokens of the input, those of a cache included, all of the output, those of reasoning included, and of two counts the
billed one.
"""

from collections import namedtuple

ABSENT, SOME = "<absent>", "<there>"

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
STREAM = "gen_ai.request.stream"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT = "gen_ai.usage.input_tokens"
OUTPUT = "gen_ai.usage.output_tokens"
CACHE_READ = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE = "gen_ai.usage.cache_write.input_tokens"
REASONING = "gen_ai.usage.reasoning.output_tokens"
TOOL_NAMES = "sidespan.tool_calls.names"
TOOL_IDS = "sidespan.tool_calls.ids"
ERROR = "error.type"
ERROR_TYPE = "sidespan.provider.error.type"
ERROR_CODE = "sidespan.provider.error.code"

Tokens = namedtuple("Tokens", "input output cache_read cache_write reasoning", defaults=(None,) * 5)
Api = namedtuple("Api", "provider operation tokens")


def of_chat_completions(usage):
    return Tokens(usage["prompt_tokens"], usage["completion_tokens"],
                  usage.get("prompt_tokens_details", {}).get("cached_tokens"), None,
                  usage.get("completion_tokens_details", {}).get("reasoning_tokens"))


def of_responses(usage):
    return Tokens(usage["input_tokens"], usage["output_tokens"], usage["input_tokens_details"]["cached_tokens"], None,
                  usage["output_tokens_details"]["reasoning_tokens"])


def of_anthropic(usage):
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    return Tokens(usage["input_tokens"] + read + written, usage["output_tokens"], read, written,
                  usage.get("output_tokens_details", {}).get("thinking_tokens"))


def of_gemini(usage):
    thoughts = usage.get("thoughts_token_count")
    return Tokens(usage["prompt_token_count"], usage["candidates_token_count"] + (thoughts or 0),
                  usage.get("cached_content_token_count"), None, thoughts)


def of_bedrock(usage):
    read, written = usage["cacheReadInputTokens"], usage["cacheWriteInputTokens"]
    return Tokens(usage["inputTokens"] + read + written, usage["outputTokens"], read, written)


def of_invocation(usage):
    """What Bedrock itself counts, whoever made the model."""
    return Tokens(usage["input"], usage["output"], usage.get("read"), usage.get("written"))


def of_cohere(usage):
    billed = usage["billed_units"]
    return Tokens(billed["input_tokens"], billed.get("output_tokens"), usage.get("cached_tokens"))


def of_ollama(usage):
    return Tokens(usage["prompt_eval_count"], usage.get("eval_count"))


def of_embeddings(usage):
    return Tokens(usage["prompt_tokens"])


APIS = {
    "openai": Api("openai", "chat", of_chat_completions),
    "openai-responses": Api("openai", "chat", of_responses),
    "openai-embeddings": Api("openai", "embeddings", of_embeddings),
    "anthropic": Api("anthropic", "chat", of_anthropic),
    "gemini": Api("gcp.gemini", "generate_content", of_gemini),
    "gemini-embeddings": Api("gcp.gemini", "embeddings", None),
    "vertex": Api("gcp.vertex_ai", "generate_content", of_gemini),
    "bedrock": Api("aws.bedrock", "chat", of_bedrock),
    "bedrock-anthropic": Api("aws.bedrock", "chat", of_anthropic),
    "bedrock-others": Api("aws.bedrock", "chat", of_invocation),
    "cohere": Api("cohere", "chat", of_cohere),
    "cohere-embeddings": Api("cohere", "embeddings", of_cohere),
    "mistral": Api("mistral_ai", "chat", of_chat_completions),
    "mistral-embeddings": Api("mistral_ai", "embeddings", of_embeddings),
    "ollama": Api("ollama", "chat", of_ollama),
    "ollama-generate": Api("ollama", "text_completion", of_ollama),
    "ollama-embeddings": Api("ollama", "embeddings", of_ollama),
}


def expected(api, said):
    """The attributes that must be there, and those that must not."""
    failed = said["error"] is not None
    begun = said["model"] or said["text"] or said["id"] or said["tool_calls"]  # else it was refused at once
    names = [name for _, name in said["tool_calls"]]
    ids = [ident or "" for ident, _ in said["tool_calls"]]
    wanted = {
        OPERATION: api.operation,
        PROVIDER: api.provider,
        REQUEST_MODEL: _or_absent(said["asked"]),
        RESPONSE_MODEL: _or_absent(said["model"]),
        RESPONSE_ID: _or_absent(said["id"]),
        STREAM: True if said["stream"] else ABSENT,
        FIRST_CHUNK: SOME if said["stream"] and begun else ABSENT,
        TOOL_NAMES: _or_absent(names),
        TOOL_IDS: _or_absent(ids if any(ids) else None),
    }
    if api.operation == "embeddings":
        wanted[FINISH_REASONS] = ABSENT
        del wanted[RESPONSE_ID]  # the convention has none for these, some providers do
    elif not failed or begun:
        wanted[FINISH_REASONS] = finish_reasons(said) or ["error"]
    return wanted | usage(api, said) | provider_error(said) | {ERROR: error(said) if failed else ABSENT}


def finish_reasons(said):
    """What the API itself says; Responses say it by their status, and by why they are incomplete."""
    if said.get("status") and said["error"] is None:
        return [said["incomplete"] or said["status"]]
    return said["finish_reasons"]


def usage(api, said):
    """A count of none may be told or left out; a count that the provider does not have must not be there."""
    if said["usage"] is None or api.tokens is None:
        return dict.fromkeys((INPUT, OUTPUT, CACHE_READ, CACHE_WRITE, REASONING), ABSENT)
    tokens = api.tokens(said["usage"])
    counts = zip((INPUT, OUTPUT, CACHE_READ, CACHE_WRITE, REASONING), tokens)
    return {name: ABSENT if count is None else count for name, count in counts if count != 0}


def error(said):
    """The provider's own code for the error, unless that is a number and there is a type; else the status. Of a stream
    that broke it is what the HTTP span says."""
    found = said["error"]
    code = found["code"] if not (found["code"] or "").isdigit() else None
    status = found["status"] if found["status"] != 200 else None
    return code or found["type"] or found["code"] or (str(status) if status else SOME)


def provider_error(said):
    """Type and code as the SDK has them; what it does not report may be there all the same."""
    found = said["error"] or {"type": ABSENT, "code": ABSENT}
    return {name: value for name, value in ((ERROR_TYPE, found["type"]), (ERROR_CODE, found["code"])) if value}


def _or_absent(value):
    return value if value else ABSENT


def differences(attributes, wanted):
    """{attribute: (expected, found)} where they differ."""
    def differs(name, value):
        if value in (ABSENT, SOME):
            return (name in attributes) != (value == SOME)
        return attributes.get(name, ABSENT) != value

    return {name: (value, attributes.get(name, ABSENT)) for name, value in wanted.items() if differs(name, value)}
