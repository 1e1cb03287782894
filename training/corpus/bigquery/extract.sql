-- Python files of public repositories, one row for each content, with the repository's licence.
-- Parameters: @licences (keys as the table licenses has them), @spdx (their SPDX identifiers, in the
-- same order), @every_licence (0 or 1), @min_bytes, @max_bytes (both included), @share_millionths
-- (1000000 for all).
WITH
  allowed AS (
    SELECT key, spdx
    FROM UNNEST(@licences) AS key WITH OFFSET AS key_offset
    JOIN UNNEST(@spdx) AS spdx WITH OFFSET AS spdx_offset ON key_offset = spdx_offset
  ),
  named AS (
    SELECT DISTINCT licenses.repo_name, licenses.license, allowed.spdx
    FROM `bigquery-public-data.github_repos.licenses` AS licenses
    LEFT JOIN allowed ON allowed.key = licenses.license
  ),
  -- Two licences do not say which file is under which: such a repository is left out, or has both.
  repositories AS (
    SELECT repo_name, STRING_AGG(COALESCE(spdx, license), ' AND ' ORDER BY license) AS licence
    FROM named
    GROUP BY repo_name
    HAVING @every_licence = 1 OR (COUNT(*) = 1 AND COUNT(spdx) = 1)
  ),
  -- The same content stands in many repositories: the smallest name of an allowed one is taken.
  places AS (
    SELECT files.id, files.repo_name, files.path, files.ref, repositories.licence
    FROM `bigquery-public-data.github_repos.files` AS files
    JOIN repositories ON repositories.repo_name = files.repo_name
    WHERE
      ENDS_WITH(files.path, '.py')
      AND files.mode != 40960  -- a symbolic link, whose content is a path
      -- The remainder before the absolute value: ABS of the smallest INT64 overflows.
      AND ABS(MOD(FARM_FINGERPRINT(files.id), 1000000)) < @share_millionths
    QUALIFY
      ROW_NUMBER() OVER (
        PARTITION BY files.id ORDER BY files.repo_name, files.path, files.ref
      ) = 1
  )
SELECT
  places.repo_name,
  places.path,
  places.licence,
  places.ref,
  contents.size,
  contents.id AS content_id,
  contents.content
FROM `bigquery-public-data.github_repos.contents` AS contents
JOIN places ON places.id = contents.id
WHERE
  NOT contents.binary
  AND contents.content IS NOT NULL
  AND contents.size BETWEEN @min_bytes AND @max_bytes
