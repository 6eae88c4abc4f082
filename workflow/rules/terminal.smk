"""What the terminal shows beside Snakemake's log: counts and the time left, in the end the answer."""

# Messages of Snakemake that the bars leave out; the log in .snakemake/log has them.
HOUSEKEEPING = (
    "Removing temporary output",
    "DAG of jobs will be updated",
    "Updating checkpoint dependencies",
    "Conda environments: ignored",
)

# Snakemake prints for each rule with `cache`, at every start, that it has it.
logger.addFilter(
    lambda record: "is eligible for caching between" not in str(record.msg)
)

# The bars of --logger rich have percentages and elapsed times only, and more messages than news.
for handler in workflow.logger_manager.get_log_handlers():
    if hasattr(handler, "progress"):
        from rich.progress import MofNCompleteColumn, TimeRemainingColumn

        more = (MofNCompleteColumn(), TimeRemainingColumn())
        handler.progress.columns = (*handler.progress.columns, *more)
        handler.addFilter(lambda record: not str(record.msg).startswith(HOUSEKEEPING))


# If this run made the page. Dry runs and jobs call no handler. Imported here because every job parses
# this file, and pandas takes a second.
onsuccess:
    if any(PAGE in job.output for job in workflow.dag.finished_jobs):
        if "published" in config:
            from mixlaws.paper.summary import summarise_published as summarise
        elif "continual" in config:
            from mixlaws.report.continual_page import (
                summarise_continual as summarise,
            )
        else:
            from mixlaws.report.summary import summarise
        print(summarise(Path(PAGE).parent, config), flush=True)
