r"""Language models: the probability of a sentence, word by word or character by character.

python -m tasks.lm                                              # the built-in sentences
python -m tasks.lm --preset=shakespeare --model_dir=runs/shakespeare
python -m tasks.lm --data=files --running --tokens=split --train_file=a.txt --valid_file=b.txt
python -m tasks.lm --mode=score --model=lm --text="The apple and pear salad."
python -m tasks.lm --mode=generate --model=lm --prompt="The cats" --temperature=0.8
python -m tasks.lm --mode=agreement --model_dir=runs/agreement
"""

from __future__ import annotations

from tasks.framework import task as program
from tasks.language import task as language


class Language(language.LanguageTask):
    name = "lm"
    texts = ("The apple and pair salad.", "The apple and pear salad.")


if __name__ == "__main__":
    program.run(Language())
