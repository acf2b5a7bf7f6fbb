" Vim syntax of circuitdsl's specifications (*.circuit).

if exists("b:current_syntax")
  finish
endif

syn case match

syn keyword circuitDeclaration use circuit compare intervention role dictionary method
syn keyword circuitStatement about cite model task edge no expect align for control
syn keyword circuitSetting metric against ablate reference prompts positions floor confidence seed bos processing
syn keyword circuitSetting members errors vary
syn keyword circuitAction attend patch scale freeze swap swap_attention
syn keyword circuitComponent mlp neuron resid embed pos_embed logits error
syn keyword circuitWord as at with on in from to by evenly outside of group baseline
syn keyword circuitConstant raises lowers strict yes

syn match circuitNumber "[+-]\=\<\d\+\(\.\d\+\)\=\([eE][+-]\=\d\+\)\=\([ \t]*%\)\="
syn match circuitHead "\<\d\+\.\(\d\+\|\*\)\ze\([ \t}.,)]\|$\)"
syn match circuitInput "\.[qkv]\+\>"
syn match circuitOperator "->\|>=\|<=\|\.\.\|[<>~:]"
syn region circuitString start=+"+ skip=+\\\\\|\\"+ end=+"+ end=+$+
syn match circuitComment "#.*$" contains=@Spell

hi def link circuitDeclaration Structure
hi def link circuitStatement Statement
hi def link circuitSetting Identifier
hi def link circuitAction Function
hi def link circuitComponent Type
hi def link circuitWord Keyword
hi def link circuitConstant Constant
hi def link circuitNumber Number
hi def link circuitHead Special
hi def link circuitInput Special
hi def link circuitOperator Operator
hi def link circuitString String
hi def link circuitComment Comment

let b:current_syntax = "circuit"
