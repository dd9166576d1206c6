"""The control strings of all families of models: text that no server may take for a control token.

With a model's folder, prompts are token ids and text never becomes a control token (``renderer``). A server that gets
text parses it for these strings, and its answer may hold them.
"""

import re
from typing import Final

from indexer.prompt.formats import LEFT_TO_RIGHT, SPECS

_OF_SPECS: Final = {
    text.strip("▁") for spec in (*SPECS, LEFT_TO_RIGHT) for text in (*spec.controls, spec.end, *spec.stops) if text
}
_OTHERS: Final = (
    # LLaMA 2, CodeLlama, Mistral, Codestral
    *("<s>", "</s>", "<unk>", "<<SYS>>", "<</SYS>>", "<PRE>", "<SUF>", "<MID>", "<EOT>", "[INST]", "[/INST]"),
    *("[PREFIX]", "[SUFFIX]", "[MIDDLE]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]"),
    *(
        "[/AVAILABLE_TOOLS]",
        "[TOOL_CALLS]",
        "[TOOL_CONTENT]",
        "[TOOL_RESULTS]",
        "[/TOOL_RESULTS]",
        "[IMG]",
        "[IMG_END]",
    ),
    *("[IMG_BREAK]", "[THINK]", "[/THINK]", "[ARGS]", "[CALL_ID]"),
    # StarCoder, SantaCoder, Granite, Mellum, Refact
    *("<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<fim-prefix>", "<fim-middle>", "<fim-suffix>"),
    *("<fim-pad>", "<repo_name>", "<reponame>", "<file_sep>", "<filename>", "<gh_stars>", "<issue_start>"),
    *("<issue_comment>", "<issue_closed>", "<jupyter_start>", "<jupyter_text>", "<jupyter_code>", "<jupyter_output>"),
    *("<jupyter_script>", "<empty_output>", "<commit_before>", "<commit_msg>", "<commit_after>"),
    *("<intermediate_to_code>", "<code_to_intermediate>", "<pr>", "<pr_status>", "<pr_is_merged>", "<pr_base>"),
    *("<pr_file>", "<pr_base_code>", "<pr_diff>", "<pr_diff_hunk>", "<pr_comment>", "<pr_event_id>", "<pr_review>"),
    *("<pr_review_state>", "<pr_review_comment>", "<pr_in_reply_to_review_id>", "<pr_in_reply_to_comment_id>"),
    *("<pr_diff_hunk_comment_line>", "<NAME>", "<EMAIL>", "<KEY>", "<PASSWORD>"),
    # Gemma, CodeGemma, Command, Qwen, Yi, T5
    *("<bos>", "<eos>", "<pad>", "<mask>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>"),
    *("<BOS_TOKEN>", "<EOS_TOKEN>", "<MASK_TOKEN>", "<PAD>", "<UNK>", "<CLS>", "<SEP>", "<EOP_TOKEN>", "<tool_call>"),
    *("</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>", "<startoftext>", "<endoftext>"),
)
_NAMED: Final = tuple(sorted(_OF_SPECS.union(_OTHERS), key=lambda text: (-len(text), text)))
# <|im_start|>, <｜fim▁begin｜> of DeepSeek, <[fim-prefix]> of Seed-Coder, <|mask:0|> of InCoder: whatever the name.
_FORMS: Final = (
    r"<[|\uff5c][\w\u2581:/.-]{1,48}[|\uff5c]>",
    r"<\[(?:[A-Za-z][\w\u2581-]{2,40})\]>",
    r"<(?:extra_id|mask|reserved|unused)_?\d+>",
    r"<0x[0-9A-F]{2}>",
)
CONTROL: Final = re.compile("|".join([*_FORMS, *map(re.escape, _NAMED)]))
"""Any control string of any known family."""

_ROUNDS: Final = 16


def without_control_strings(text: str) -> str:
    """Return a text without control strings, also without those that removing others would leave.

    What is nested more than 16 deep was built on purpose; a blank breaks it up, so that the time stays linear.
    """
    for _ in range(_ROUNDS):
        shorter = CONTROL.sub("", text)
        if shorter == text:
            return text
        text = shorter
    while CONTROL.search(text):
        text = CONTROL.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)
    return text
