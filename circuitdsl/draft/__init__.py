"""From a model and a task to a specification whose claims were judged on prompts that it was not made from.

1. ``halves``: some prompts are for finding, others for judging.
2. ``search``: what moves the logits, by path patching; then what feeds the inputs of what was found, stage by stage.
   ``entry`` decides what is listed, ``places`` where is looked.
3. ``roles``: nodes that stand, feed and look alike are a role, which is named by what it was measured to do.
4. ``stable``: how often each is found again on resampled prompts.
5. ``lines``: what is claimed, with bounds that leave room; ``writing``: the text.
6. ``judged``: what does not hold on the other prompts is taken out.

``drafting`` joins them.
"""
