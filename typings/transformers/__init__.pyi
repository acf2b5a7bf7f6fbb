"""The names of transformers that are used here, each from the module that has it, for the type checker.

The library's own ``__init__`` imports ``*`` of every model: for one name the type checker read 2,700 files, which took
it 21 CPU seconds. A name that is not here is an error: add it. Their types are those of the library.
"""

from transformers.modeling_utils import PreTrainedModel as PreTrainedModel
from transformers.models.auto.configuration_auto import AutoConfig as AutoConfig
from transformers.models.auto.modeling_auto import AutoModelForCausalLM as AutoModelForCausalLM
from transformers.models.auto.tokenization_auto import AutoTokenizer as AutoTokenizer
from transformers.models.bloom.configuration_bloom import BloomConfig as BloomConfig
from transformers.models.bloom.modeling_bloom import BloomForCausalLM as BloomForCausalLM
from transformers.models.gemma.configuration_gemma import GemmaConfig as GemmaConfig
from transformers.models.gemma.modeling_gemma import GemmaForCausalLM as GemmaForCausalLM
from transformers.models.gpt2.configuration_gpt2 import GPT2Config as GPT2Config
from transformers.models.gpt2.modeling_gpt2 import GPT2LMHeadModel as GPT2LMHeadModel
from transformers.models.gpt2.tokenization_gpt2 import GPT2Tokenizer as GPT2Tokenizer
from transformers.models.gpt_neox.configuration_gpt_neox import GPTNeoXConfig as GPTNeoXConfig
from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXForCausalLM as GPTNeoXForCausalLM
from transformers.models.llama.configuration_llama import LlamaConfig as LlamaConfig
from transformers.models.llama.modeling_llama import LlamaForCausalLM as LlamaForCausalLM
from transformers.models.mpt.configuration_mpt import MptConfig as MptConfig
from transformers.models.mpt.modeling_mpt import MptForCausalLM as MptForCausalLM
from transformers.models.opt.configuration_opt import OPTConfig as OPTConfig
from transformers.models.opt.modeling_opt import OPTForCausalLM as OPTForCausalLM
from transformers.models.phi.configuration_phi import PhiConfig as PhiConfig
from transformers.models.phi.modeling_phi import PhiForCausalLM as PhiForCausalLM
from transformers.models.qwen3.configuration_qwen3 import Qwen3Config as Qwen3Config
from transformers.models.qwen3.modeling_qwen3 import Qwen3ForCausalLM as Qwen3ForCausalLM
from transformers.tokenization_utils_base import PreTrainedTokenizerBase as PreTrainedTokenizerBase
from transformers.tokenization_utils_tokenizers import PreTrainedTokenizerFast as PreTrainedTokenizerFast

__version__: str
