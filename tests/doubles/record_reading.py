"""Reads all records of a local file or a dataset, as a corpus reads their slices."""

from training.corpus.readers.records.hub_datasets import HUB_ADVICE, HubDataset, list_hub_files
from training.corpus.readers.records.record_files import (
    RECORDS_ADVICE,
    list_record_files,
    read_slice,
)
from training.corpus.readers.records.record_slices import FileSlice


def read_records(path, parser, limits):
    for file in list_record_files(path, RECORDS_ADVICE):
        yield from read_slice(FileSlice(file=file), parser, limits, advice=RECORDS_ADVICE)


def read_hub(name, parser, limits):
    for file in list_hub_files(HubDataset.parse(name)):
        yield from read_slice(FileSlice(file=file), parser, limits, advice=HUB_ADVICE)
