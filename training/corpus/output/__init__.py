"""Output: the finished corpus folder with Parquet files, report, page, card and NOTICE."""
