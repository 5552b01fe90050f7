"""`--mode=generate`: what it refuses before it loads a model."""

from programs import program


def test_prompts_have_the_limit_that_texts_have():
    flags = ["--mode=generate", "--model=lm_demo", "--max_length=1", "--max_characters=10"]
    assert program("lm", *flags, "--prompt=the cat").stdout.startswith("the cat")
    run = program("lm", *flags, "--prompt=the cat", "--prompt=the cats were full", check=False)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith("lm: --max_characters: expected texts of at most 10 characters. ")
    assert "18 in text number 2" in run.stderr
    unlimited = [*flags[:-1], "--max_characters=0"]
    assert program("lm", *unlimited, "--prompt=the cats were full").returncode == 0
