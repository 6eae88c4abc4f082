"""Read the text, remove duplicates, tokenize it, and account for every document and token.

Rules with `cache` use Snakemake's cache between workflows (--cache). Its key contains a rule's script,
params and inputs, but neither wildcards nor imported code, so these are params too.
"""

# The limits of what a tokenizer may lose are left out, so that a change of them trains no tokenizer.
ALLOWED_LOSS = {
    key: config["tokenizer"][key] for key in ("max_unknown_share", "max_altered_share")
}
TOKENIZER = {
    key: value for key, value in config["tokenizer"].items() if key not in ALLOWED_LOSS
}
if "file" in TOKENIZER:
    TOKENIZER["file"] = plain_path(TOKENIZER["file"], "tokenizer.file")


rule read_part:
    input:
        lambda wildcards: watched(files_of(wildcards)),
    output:
        "results/{experiment}/text/{domain}/{part}.parquet",
    log:
        "results/{experiment}/logs/read_part/{domain}/{part}.log",
    cache: True
    conda:
        "../../envs/train.yaml"
    resources:
        mem_mb=2000,
    params:
        domain="{domain}",
        options=lookup(dpath="{domain}", within=TEXT_OPTIONS),
        validation_share=validation_share_of,
        part=part_of,
        stamps=unrecorded_stamps,
        unwatched=lambda wildcards: modified_at(files_of(wildcards)),
        version=TEXT_VERSION,
    script:
        "../scripts/read_part.py"


rule find_duplicates:
    input:
        all_documents,
    output:
        "results/{experiment}/text/duplicates.parquet",
    log:
        "results/{experiment}/logs/find_duplicates.log",
    cache: True
    conda:
        "../../envs/train.yaml"
    params:
        near=config["duplicates"]["near"],
        version=TEXT_VERSION,
    script:
        "../scripts/find_duplicates.py"


rule make_tokenizer:
    input:
        # Only a tokenizer that is trained waits for the text; one that is given is checked first.
        given=TOKENIZER.get("file", []),
        documents=training_documents if TRAINS_TOKENIZER else [],
        duplicates=(
            "results/{experiment}/text/duplicates.parquet" if TRAINS_TOKENIZER else []
        ),
    output:
        "results/{experiment}/tokens/tokenizer.json",
    log:
        "results/{experiment}/logs/make_tokenizer.log",
    cache: True
    priority: 0 if TRAINS_TOKENIZER else 100
    conda:
        "../../envs/train.yaml"
    params:
        tokenizer=TOKENIZER,
        version=TEXT_VERSION,
    script:
        "../scripts/make_tokenizer.py"


rule tokenize_shard:
    input:
        documents=shard_documents,
        duplicates="results/{experiment}/text/duplicates.parquet",
        tokenizer="results/{experiment}/tokens/tokenizer.json",
    output:
        temp("results/{experiment}/shards/{domain}/{shard}.parquet"),
    log:
        "results/{experiment}/logs/tokenize_shard/{domain}/{shard}.log",
    cache: True
    conda:
        "../../envs/train.yaml"
    resources:
        mem_mb=2000,
    params:
        domain="{domain}",
        shard=shard_of,
        version=TEXT_VERSION,
    script:
        "../scripts/tokenize_shard.py"


rule join_shards:
    input:
        shard_files,
    output:
        tokens=temp("results/{experiment}/shards/{domain}/{split}.bin"),
        manifest=temp("results/{experiment}/shards/{domain}/{split}.json"),
    log:
        "results/{experiment}/logs/join_shards/{domain}/{split}.log",
    conda:
        "../../envs/train.yaml"
    params:
        allowed=ALLOWED_LOSS,
    script:
        "../scripts/join_shards.py"


rule publish_tokens:
    input:
        tokens="results/{experiment}/shards/{domain}/{split}.bin",
        manifest="results/{experiment}/shards/{domain}/{split}.json",
    output:
        tokens="results/{experiment}/tokens/{domain}/{split}.bin",
        manifest="results/{experiment}/tokens/{domain}/{split}.json",
    log:
        "results/{experiment}/logs/publish_tokens/{domain}/{split}.log",
    wildcard_constraints:
        domain="|".join(READ_DOMAINS) or NO_DOMAIN,
    conda:
        "../../envs/train.yaml"
    params:
        # Not an output, so that it is kept: it replaces the config's sizes from now on.
        division="results/{experiment}/tokens/{domain}/division.json",
        sizes=division_for,
    script:
        "../scripts/publish_tokens.py"


rule adopt_tokens:
    input:
        unpack(given_pair),
        tokenizer="results/{experiment}/tokens/tokenizer.json",
    output:
        tokens="results/{experiment}/tokens/{domain}/{split}.bin",
        manifest="results/{experiment}/tokens/{domain}/{split}.json",
    log:
        "results/{experiment}/logs/adopt_tokens/{domain}/{split}.log",
    wildcard_constraints:
        domain="|".join(GIVEN_DOMAINS) or NO_DOMAIN,
    conda:
        "../../envs/train.yaml"
    params:
        allowed=ALLOWED_LOSS,
    script:
        "../scripts/adopt_tokens.py"


rule account_tokens:
    input:
        tokens=token_files(".bin"),
        manifests=token_files(".json"),
        duplicates="results/{experiment}/text/duplicates.parquet",
    output:
        accounting="results/{experiment}/accounting.csv",
        contamination="results/{experiment}/contamination.csv",
    log:
        "results/{experiment}/logs/account_tokens.log",
    priority: 100
    conda:
        "../../envs/train.yaml"
    params:
        training_domains=DOMAINS,
        not_compared=GIVEN_DOMAINS,
        source=source_of("account_tokens"),
    script:
        "../scripts/account_tokens.py"
