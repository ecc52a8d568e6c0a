"""Moves data: sources -> encoding -> code_shards -> shard_index -> routing. Ray only in `actors` and `jobs`."""
