"""What the terminal shows beside Snakemake's log: counts and the time left, in the end the answer."""

# The bars of --logger rich have percentages and elapsed times only.
for handler in workflow.logger_manager.get_log_handlers():
    if hasattr(handler, "progress"):
        from rich.progress import MofNCompleteColumn, TimeRemainingColumn

        more = (MofNCompleteColumn(), TimeRemainingColumn())
        handler.progress.columns = (*handler.progress.columns, *more)


# If this run made the page. Dry runs and jobs call no handler. Imported here because every job parses
# this file, and pandas takes a second.
onsuccess:
    if any(PAGE in job.output for job in workflow.dag.finished_jobs):
        if "published" in config:
            from mixlaws.paper.summary import summarise_published as summarise
        else:
            from mixlaws.report.summary import summarise
        print(summarise(Path(PAGE).parent, config), flush=True)
