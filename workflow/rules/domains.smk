"""Raw text -> documents without duplicates -> tokens, with every document accounted for."""


rule read_domain:
    output:
        documents="results/{experiment}/text/{domain}.parquet",
        record="results/{experiment}/text/{domain}.json",
    log:
        "results/{experiment}/logs/read_domain/{domain}.log",
    benchmark:
        "results/{experiment}/benchmarks/read_domain/{domain}.tsv"
    conda:
        "../../envs/train.yaml"
    params:
        domain=lookup(dpath="{domain}", within=SOURCES),
        validation_share=validation_share_of,
    script:
        "../scripts/read_domain.py"


rule find_duplicates:
    input:
        expand(
            "results/{{experiment}}/text/{domain}.parquet", domain=VALIDATION_DOMAINS
        ),
    output:
        "results/{experiment}/text/duplicates.parquet",
    log:
        "results/{experiment}/logs/find_duplicates.log",
    benchmark:
        "results/{experiment}/benchmarks/find_duplicates.tsv"
    conda:
        "../../envs/train.yaml"
    params:
        domains=VALIDATION_DOMAINS,
    script:
        "../scripts/find_duplicates.py"


rule make_tokenizer:
    input:
        documents=expand("results/{{experiment}}/text/{domain}.parquet", domain=DOMAINS),
        duplicates="results/{experiment}/text/duplicates.parquet",
    output:
        "results/{experiment}/tokens/tokenizer.json",
    log:
        "results/{experiment}/logs/make_tokenizer.log",
    benchmark:
        "results/{experiment}/benchmarks/make_tokenizer.tsv"
    conda:
        "../../envs/train.yaml"
    params:
        domains=DOMAINS,
        tokenizer=config["tokenizer"],
    script:
        "../scripts/make_tokenizer.py"


rule tokenize_domain:
    input:
        documents="results/{experiment}/text/{domain}.parquet",
        duplicates="results/{experiment}/text/duplicates.parquet",
        tokenizer="results/{experiment}/tokens/tokenizer.json",
    output:
        tokens="results/{experiment}/tokens/{domain}/{split}.bin",
        manifest="results/{experiment}/tokens/{domain}/{split}.json",
    log:
        "results/{experiment}/logs/tokenize_domain/{domain}/{split}.log",
    benchmark:
        "results/{experiment}/benchmarks/tokenize_domain/{domain}/{split}.tsv"
    conda:
        "../../envs/train.yaml"
    script:
        "../scripts/tokenize_domain.py"


rule account_tokens:
    input:
        tokens=token_files(".bin"),
        manifests=token_files(".json"),
    output:
        "results/{experiment}/accounting.csv",
    log:
        "results/{experiment}/logs/account_tokens.log",
    priority: 100
    conda:
        "../../envs/train.yaml"
    params:
        training_domains=DOMAINS,
        source=source_digest("tokens.py"),
    script:
        "../scripts/account_tokens.py"
