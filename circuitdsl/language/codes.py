"""Every diagnostic's stable code, with the explanation that ``circuitdsl explain CODE`` prints.

C0 files, C1 syntax, C2 names, C3 the model's geometry and order of computation, C4 positions, C5 claims,
C6 comparisons and interventions. A code changes its meaning only with a note in CHANGELOG.md.
"""

from __future__ import annotations

from types import MappingProxyType

CODES = MappingProxyType(
    {
        # --- files
        "C001": "A file cannot be opened: it does not exist, is a folder, or may not be read. Paths after `use` "
        "count from the folder of the file that uses them.",
        "C002": "A specification is a UTF-8 text. The message gives the first byte that is not and its line.",
        "C003": "A specification has at most 4 MB, some 90,000 edges. A circuit stands in one file, in which a group "
        "says several edges at once; each circuit may have a file of its own, and a comparison names them with "
        "`use`.",
        "C004": "Files that use files that use files are followed to a depth of 16.",
        # --- syntax
        "C101": "A word or sign stands where the language has no place for it. The message says what could stand "
        "there. The whole grammar is one page, grammar/circuit.lark.",
        "C102": "A block is opened with `{`, and before its `}` the file ends or a statement begins that cannot stand "
        "in it. The place shown is the opening brace.",
        "C103": 'Text stands in double quotes and ends on its line. A quote inside it is \\", a backslash \\\\.',
        "C104": "A character that the language does not use. Comments begin with #, text stands in double quotes.",
        "C105": "A number with more digits than any model or measurement needs; it is taken for a slip.",
        "C106": "A statement is not finished: the next one begins, or the file ends, where something is still missing. "
        "The place shown is its last word.",
        # --- names
        "C201": "No model of this name can be described. `circuitdsl models` lists those at hand; a model folder "
        'is given by its path, in quotes if it has other signs than letters, digits, ".", "-", "_" and "/".',
        "C202": "No task of this name is known, or its arguments are wrong. `circuitdsl tasks` lists the tasks and "
        'their positions; your own prompts are `task file("prompts.jsonl")`.',
        "C203": "An edge, an argument or an action names a role that its circuit does not have.",
        "C204": "A comparison or an intervention names a circuit that is neither in the files given nor in a file "
        'that is made known with `use "file.circuit"`.',
        "C205": "`expect` names a measurement that is not in the registry. `circuitdsl explain` lists them all.",
        "C206": "Two circuits, two interventions, or a circuit and an intervention of the files given have one name, "
        "or two circuits are compared twice. The identifiers of claims are made of these names, so they must differ. "
        "`lint` wants it only of files that belong together: where one uses the other, or names a circuit that the "
        "other has.",
        "C207": "A circuit has two roles, two dictionaries, or a role and a dictionary of one name, or declares one "
        "dictionary twice at the same point.",
        "C208": "A block states something twice that can only be stated once: its model, its task, a setting, what it "
        "is about.",
        "C209": "Names with a meaning of their own (`all`, `answer`, `baseline`, `END`) cannot be given to a circuit, "
        "a role or an intervention.",
        "C210": "A node stands twice in a role, or in two roles at the same position. To list a head claims that it "
        "matters at its position, and that can be claimed once; a head may play several roles at different positions.",
        "C211": "A circuit must say which model it is a circuit of.",
        "C212": "A circuit must say which task it is a circuit for.",
        "C213": "A setting of the method has a value that it cannot have. The message gives those that it can.",
        "C214": "`against`, or `patch ... from`, names a counterfactual that the task does not have.",
        "C215": "The same claim is made twice: an edge between the same nodes, with whatever bound, or the same "
        "`expect`; or an edge is both claimed and denied. An edge and the same one `: strict` are two.",
        "C216": "A role lists no nodes, so that nothing is claimed of it.",
        "C217": "A role bears the name of one of the task's positions, so that an argument could mean either.",
        "C218": "`prompts all` of a task that cannot list its prompts, or that has more of them than are run at most.",
        "C219": "`for n in 0 .. 2 { ... }` counts upwards, and every statement in it has its variable in the brackets "
        "of a name: `A[n]`, `A[n+1]`, which is never below zero. The repeats of a circuit stand for at most 2,000 "
        "statements. Outside of a `for` no name has brackets.",
        "C220": "No dictionary can be read there: the folder or a file of it is missing, damaged or too large, or it "
        "says something with which other features would come out than circuitdsl computes. A folder holds cfg.json and "
        "sae_weights.safetensors, as SAELens writes them, and counts from the folder of the specification.",
        "C221": "A node is a part of a dictionary (`a1.57`, `a1.error`) that its circuit does not declare. A line such "
        'as `dictionary a1 at attn_out 1 from "folder"` does.',
        "C222": "A dictionary stands at `attn_out` (what the heads of a layer write together), at `mlp_out` (what its "
        "MLP writes), or at `resid_pre` (the residual stream before the layer).",
        "C223": "`interchange` names a variable that the task does not have. `circuitdsl explain TASK` lists those "
        "that it has; prompts of your own may have some (`explain file`).",
        "C224": "Two statements of a block have the same label (`as moves`), so that a claim could not be called by "
        "it. In a `for` a label has the variable in brackets.",
        "C225": "`at A2` in a measurement or a metric says after which position the output is read. The task's prompts "
        "have to say which answers are right there: `circuitdsl explain TASK` lists such positions. Lines of a file "
        'give answers by position (`"at": {"A2": {"answer": ...}}`).',
        "C231": "A line of a file of prompts cannot be used: it is no JSON object, lacks what it needs, or the model's "
        'tokenizer cannot read it so. The place shown is that line. `task file("my.jsonl", skip: yes)` goes on with '
        "the other lines. `circuitdsl tasks new my.jsonl` starts a file that is right.",
        # --- geometry
        "C301": "A layer that the model does not have. Layers and heads count from 0.",
        "C302": "A head that the model does not have in any layer. Layers and heads count from 0.",
        "C303": "The model has no MLPs, so that none can be part of a circuit.",
        "C304": "A range of layers that ends before it begins.",
        "C305": "Nothing can flow along this edge: no receiver reads the residual stream after any of the senders "
        "has written to it. A head reads what is written in layers below its own; an MLP also reads the heads of its "
        "own layer, unless the model computes both in parallel; nothing flows into the embeddings, and none of the "
        "features at one point into another.",
        "C306": "A feature that a dictionary does not have. Features count from 0.",
        "C307": "A dictionary does not belong where it stands: it was trained at another hook point, as it records, or "
        "for a model of another width; or it is a transcoder, which reads what an MLP reads and writes what it writes, "
        "and does not stand at `mlp_out`.",
        # --- positions
        "C401": "A position that the task does not have. `circuitdsl tasks` lists each task's positions.",
        "C402": "It is not clear at which position a component is meant: no role lists it, or several do at different "
        "positions. Write the position after it: `9.6 at END`.",
        "C403": "An offset moves a single position: `S1+1` is the token after S1. `all` cannot be moved, nothing "
        "comes after END, and nothing before BOS.",
        "C404": "A single token is needed, and `all` is no token.",
        "C405": "A position BOS in a circuit whose prompts begin with no BOS token. Under `bos yes` every task has "
        "it: the first token, at which attention that is needed nowhere often rests.",
        "C490": "A warning. What a sender writes at one position is read there: by a head's queries at its query "
        "position, by its keys and values at the key position, by the logits at END. An edge from one position to "
        "another carries something only where the two are the same token of a prompt.",
        "C491": "A warning. `{0.3 0.5 at S2}` says `at S2` of 0.5 alone; 0.3 stands where the roles have it, or at "
        "all positions. After the braces, `{0.3 0.5} at S2`, and before those of a role, `role r at S2 { 0.3 0.5 }`, "
        "it is said of all. Where each has its own, write it after each.",
        "C492": "A warning. A query looks at its own token and at earlier ones. In every prompt of the task the key "
        "comes later, as far as the words of the prompts tell, so that the attention is always 0.",
        "C493": "A warning. Some prompts of the task, or all, have no such place: a file leaves the position out on "
        "some lines, or an offset leads out of every prompt, as far as their words tell. What stands there cannot be "
        "measured.",
        "C494": "A warning. A claim needs what the prompts of the task do not give: effects and edges take activations "
        "from a counterfactual, a logit difference needs a wrong answer, and a mean by template needs several prompts "
        "of each template.",
        "C495": "A warning about a file of prompts, which can be used as it is: what it may not have meant, or which "
        "lines are left out by `skip: yes`.",
        "C496": "A warning. The tokenizer of a model is not on this machine, so that it is not known whether it can "
        "read every line of a file of prompts.",
        "C497": "A warning. What stands after the token at which the output is read cannot change it, so that the "
        "figure is always 0: in every prompt of the task the position comes later, as far as the words tell.",
        # --- claims
        "C501": "A measurement has more or fewer arguments than its definition says. "
        "`circuitdsl explain NAME` shows them.",
        "C502": "An argument is of another kind than the measurement takes there: a role where a position is needed, "
        "for instance. `circuitdsl explain NAME` shows the kinds.",
        "C503": "A bound is in another unit than the measurement. Shares are written in per cent (`95%`), logits and "
        "scores as plain numbers (`3.5`).",
        "C504": "A measurement has no such option, or not in such a block. `circuitdsl explain NAME` lists its "
        "options.",
        "C505": "A measurement cannot be compared with such a control, or not in such a block. `circuitdsl explain "
        "NAME` lists its controls.",
        "C506": "`in a .. b`, and `outside a .. b`, needs a to be smaller than b.",
        "C507": "No value that the measurement can have satisfies this bound, so that the claim could never hold.",
        "C508": "`raises` and `lowers` are said of an effect along a path, and of an edge. Other measurements are "
        "compared with a bound.",
        "C510": "The logits and MLPs have a single input, which is not named.",
        "C511": "Queries are read at the receiver's own position, keys and values where the sender writes. An edge "
        "into both kinds of input is two edges, or one that names no input: then all three see the patch together.",
        "C512": "The inputs of a head are q, k and v: `.q`, `.k`, `.v`, `.kv`. Where none is named, all three are "
        "meant.",
        "C513": "`- baseline` subtracts the value without the intervention; outside of `intervention` there is "
        "none, and of what is measured from the run without it (`kl`) it is zero.",
        "C514": "A measurement, or an option of it, stands where it has no meaning: an overlap, for instance, needs "
        "the two circuits of a `compare`, and an effect can be `normalised` only where the model is as it is.",
        "C515": "A statement with which the groups of a file stand for more than could be checked. `{a b} -> {c d}` "
        "is four paths: a file's groups may stand for 20,000 of them, and for 1,000,000 nodes in all. A longer file "
        "may have as many paths as it names senders and receivers, so that paths that are written out one by one are "
        "limited by the size of a file alone.",
        "C516": "An option or a value of `vary` is given twice, a group names a component twice, or two options are "
        "given of which each excludes the other.",
        "C517": "A claim is about attention heads, and the nodes named are none: an MLP and the embeddings have no "
        "attention pattern.",
        "C518": "`b.k of group` is the key of all heads that share it with b, in a model with grouped queries: fewer "
        "key-value heads than heads. Where each head has keys and values of its own, and of queries, which are never "
        "shared, there is no such group, and other heads than b are not meant.",
        "C519": "A measurement of the circuit as a whole (`faithfulness`, `completeness`, ...) in a circuit of which "
        "nothing is said: it lists no heads and MLPs in roles, and states no edges; or `faithfulness(edges)` where no "
        "edges are stated.",
        "C520": "An edge or a path from what is the same in a prompt and in its counterfactual, so that patching it "
        "changes nothing: from `pos_embed` alone, since both have as many tokens, or from components at BOS alone, "
        "since both begin with it. Beside others in a role neither does harm.",
        "C521": "A `control task` is the circuit's own task. It is a negative control: a task that the model does and "
        "for which the circuit's heads should not matter.",
        "C522": "A `control task` of a circuit that lists no heads: there is nothing to knock out on that task.",
        "C590": "A warning: a circuit, a comparison or an intervention claims nothing, so that there is nothing to "
        "check.",
        "C591": "A warning: every value that the measurement can have satisfies this bound, so that the claim cannot "
        "fail and says nothing.",
        # --- comparisons and interventions
        "C601": "A circuit is compared with itself.",
        "C602": "A comparison is about the two circuits that it names, and an argument names another one.",
        "C603": "A role is aligned with two different roles, or twice with the same.",
        "C604": "An intervention does nothing: it needs at least one action (attend, ablate, patch, scale, freeze, "
        "swap, swap_attention).",
        "C605": "Two actions of an intervention change the same output of the same node, so that only one could act.",
        "C606": "`attend ... to POSITION by SHARE` gives a share of a row of attention: more than 0% and at most 100%, "
        "`70%` or `0.7`.",
        "C607": "The shares that `attend` gives do not add up to 100%, as a row of attention does. A difference of "
        "0.1% is taken for rounding, and the shares are scaled to make it up.",
        "C608": "`attend` gives one position two shares. Different positions may name the same token of a prompt; "
        "then their shares add up.",
        "C609": "`swap NODES at POSITION with POSITION` exchanges outputs between two positions, the first of which "
        "stands after the nodes, and holds for all of them; each is one token. The same holds for "
        "`swap_attention`, whose position after `to` is one token too.",
    }
)

WARNINGS = frozenset({"C490", "C491", "C492", "C493", "C494", "C495", "C496", "C497", "C590", "C591"})
