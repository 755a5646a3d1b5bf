-- sums
SELECT
  "t1"."tile",
  COUNT(*) AS "n",
  COUNT("t1"."distance") AS "c0_present",
  SUM(CAST("t1"."distance" = CAST('NaN' AS DOUBLE) AS INT)) AS "c0_nan",
  SUM(
    IFF(
      NOT (
        (
          "t1"."distance" = CAST('NaN' AS DOUBLE)
        )
        OR "t1"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
      ),
      "t1"."distance",
      CAST(NULL AS DOUBLE)
    )
  ) AS "c0_total",
  SUM(
    IFF(
      NOT (
        (
          "t1"."distance" = CAST('NaN' AS DOUBLE)
        )
        OR "t1"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
      ),
      "t1"."distance",
      CAST(NULL AS DOUBLE)
    ) * IFF(
      NOT (
        (
          "t1"."distance" = CAST('NaN' AS DOUBLE)
        )
        OR "t1"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
      ),
      "t1"."distance",
      CAST(NULL AS DOUBLE)
    )
  ) AS "c0_squares",
  MIN(
    IFF(
      NOT (
        (
          "t1"."distance" = CAST('NaN' AS DOUBLE)
        )
        OR "t1"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
      ),
      "t1"."distance",
      CAST(NULL AS DOUBLE)
    )
  ) AS "c0_minimum",
  MAX(
    IFF(
      NOT (
        (
          "t1"."distance" = CAST('NaN' AS DOUBLE)
        )
        OR "t1"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
      ),
      "t1"."distance",
      CAST(NULL AS DOUBLE)
    )
  ) AS "c0_maximum",
  SUM(
    CAST(ABS(
      (
        IFF(
          NOT (
            (
              "t1"."distance" = CAST('NaN' AS DOUBLE)
            )
            OR "t1"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
          ),
          "t1"."distance",
          CAST(NULL AS DOUBLE)
        ) * 10.0
      ) - ROUND(
        IFF(
          NOT (
            (
              "t1"."distance" = CAST('NaN' AS DOUBLE)
            )
            OR "t1"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
          ),
          "t1"."distance",
          CAST(NULL AS DOUBLE)
        ) * 10.0
      )
    ) <= 1.00000017985613e-06 AS INT)
  ) AS "c0_coarse",
  SUM(
    CAST(ABS(
      (
        IFF(
          NOT (
            (
              "t1"."distance" = CAST('NaN' AS DOUBLE)
            )
            OR "t1"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
          ),
          "t1"."distance",
          CAST(NULL AS DOUBLE)
        ) * 100.0
      ) - ROUND(
        IFF(
          NOT (
            (
              "t1"."distance" = CAST('NaN' AS DOUBLE)
            )
            OR "t1"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
          ),
          "t1"."distance",
          CAST(NULL AS DOUBLE)
        ) * 100.0
      )
    ) <= 1.0000017985612998e-06 AS INT)
  ) AS "c0_usual",
  COUNT("t1"."carrier") AS "c1_present",
  SUM(CAST("t1"."carrier" = '' AS INT)) AS "c1_empty",
  COUNT(CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE)) AS "c2_present",
  SUM(
    CAST(CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE) = CAST('NaN' AS DOUBLE) AS INT)
  ) AS "c2_nan",
  SUM(
    IFF(
      NOT (
        (
          CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE) = CAST('NaN' AS DOUBLE)
        )
        OR CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE) IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
      ),
      CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE),
      CAST(NULL AS DOUBLE)
    )
  ) AS "c2_total",
  SUM(
    IFF(
      NOT (
        (
          CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE) = CAST('NaN' AS DOUBLE)
        )
        OR CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE) IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
      ),
      CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE),
      CAST(NULL AS DOUBLE)
    ) * IFF(
      NOT (
        (
          CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE) = CAST('NaN' AS DOUBLE)
        )
        OR CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE) IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
      ),
      CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE),
      CAST(NULL AS DOUBLE)
    )
  ) AS "c2_squares",
  MIN(
    IFF(
      NOT (
        (
          CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE) = CAST('NaN' AS DOUBLE)
        )
        OR CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE) IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
      ),
      CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE),
      CAST(NULL AS DOUBLE)
    )
  ) AS "c2_minimum",
  MAX(
    IFF(
      NOT (
        (
          CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE) = CAST('NaN' AS DOUBLE)
        )
        OR CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE) IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
      ),
      CAST(DATE_PART('epoch_microsecond', "t1"."built") AS DOUBLE),
      CAST(NULL AS DOUBLE)
    )
  ) AS "c2_maximum",
  COUNT(ABS("t1"."y_true" - "t1"."y_pred")) AS "o_rows",
  SUM(ABS("t1"."y_true" - "t1"."y_pred")) AS "o_absolute",
  SUM(ABS("t1"."y_true" - "t1"."y_pred") * ABS("t1"."y_true" - "t1"."y_pred")) AS "o_squared",
  SUM(
    ABS("t1"."y_true" - "t1"."y_pred") * ABS("t1"."y_true" - "t1"."y_pred") * (
      ABS("t1"."y_true" - "t1"."y_pred") * ABS("t1"."y_true" - "t1"."y_pred")
    )
  ) AS "o_fourth",
  SUM(
    ABS("t1"."y_true" - "t1"."y_pred") / GREATEST(ABS("t1"."y_true"), 2.220446049250313e-16)
  ) AS "o_relative",
  SUM(
    (
      ABS("t1"."y_true" - "t1"."y_pred") / GREATEST(ABS("t1"."y_true"), 2.220446049250313e-16)
    ) * (
      ABS("t1"."y_true" - "t1"."y_pred") / GREATEST(ABS("t1"."y_true"), 2.220446049250313e-16)
    )
  ) AS "o_relative_squared",
  SUM(IFF(ABS("t1"."y_true" - "t1"."y_pred") IS NOT NULL, "t1"."y_true", NULL)) AS "o_label",
  SUM(
    IFF(ABS("t1"."y_true" - "t1"."y_pred") IS NOT NULL, "t1"."y_true" * "t1"."y_true", NULL)
  ) AS "o_label_squared"
FROM (
  SELECT
    "t0"."timestamp",
    "t0"."distance",
    "t0"."carrier",
    "t0"."built",
    "t0"."y_pred",
    "t0"."y_true",
    CAST(FLOOR((
      DATE_PART('epoch_microsecond', "t0"."timestamp")
    ) / (
      3600000000
    )) AS BIGINT) AS "tile"
  FROM "logged" AS "t0"
) AS "t1"
GROUP BY
  1
-- cells
SELECT
  "t6"."tile",
  "t6"."wk_part",
  "t6"."wk_cell",
  COUNT(*) AS "wk_rows"
FROM (
  SELECT
    *
  FROM (
    SELECT
      "t4"."tile",
      "t2"."wk_part",
      CASE "t2"."wk_part"
        WHEN 0
        THEN IFF(
          IFF(
            NOT (
              (
                "t4"."distance" = CAST('NaN' AS DOUBLE)
              )
              OR "t4"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
            ),
            "t4"."distance",
            CAST(NULL AS DOUBLE)
          ) IS NOT NULL,
          IFF(
            IFF(
              NOT (
                (
                  "t4"."distance" = CAST('NaN' AS DOUBLE)
                )
                OR "t4"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
              ),
              "t4"."distance",
              CAST(NULL AS DOUBLE)
            ) <= 1.4999999999999998,
            IFF(
              IFF(
                NOT (
                  (
                    "t4"."distance" = CAST('NaN' AS DOUBLE)
                  )
                  OR "t4"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
                ),
                "t4"."distance",
                CAST(NULL AS DOUBLE)
              ) <= -5E-324,
              IFF(
                IFF(
                  NOT (
                    (
                      "t4"."distance" = CAST('NaN' AS DOUBLE)
                    )
                    OR "t4"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
                  ),
                  "t4"."distance",
                  CAST(NULL AS DOUBLE)
                ) <= -17.250000000000004,
                IFF(
                  IFF(
                    NOT (
                      (
                        "t4"."distance" = CAST('NaN' AS DOUBLE)
                      )
                      OR "t4"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
                    ),
                    "t4"."distance",
                    CAST(NULL AS DOUBLE)
                  ) <= -54.75000000000001,
                  0,
                  1
                ),
                2
              ),
              IFF(
                IFF(
                  NOT (
                    (
                      "t4"."distance" = CAST('NaN' AS DOUBLE)
                    )
                    OR "t4"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
                  ),
                  "t4"."distance",
                  CAST(NULL AS DOUBLE)
                ) <= 0.0,
                3,
                4
              )
            ),
            IFF(
              IFF(
                NOT (
                  (
                    "t4"."distance" = CAST('NaN' AS DOUBLE)
                  )
                  OR "t4"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
                ),
                "t4"."distance",
                CAST(NULL AS DOUBLE)
              ) <= 39.0,
              IFF(
                IFF(
                  NOT (
                    (
                      "t4"."distance" = CAST('NaN' AS DOUBLE)
                    )
                    OR "t4"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
                  ),
                  "t4"."distance",
                  CAST(NULL AS DOUBLE)
                ) <= 20.25,
                IFF(
                  IFF(
                    NOT (
                      (
                        "t4"."distance" = CAST('NaN' AS DOUBLE)
                      )
                      OR "t4"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
                    ),
                    "t4"."distance",
                    CAST(NULL AS DOUBLE)
                  ) <= 10.0,
                  5,
                  6
                ),
                7
              ),
              IFF(
                IFF(
                  NOT (
                    (
                      "t4"."distance" = CAST('NaN' AS DOUBLE)
                    )
                    OR "t4"."distance" IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
                  ),
                  "t4"."distance",
                  CAST(NULL AS DOUBLE)
                ) <= 76.5,
                8,
                9
              )
            )
          ),
          CAST(NULL AS BIGINT)
        )
        WHEN 1
        THEN CASE "t4"."carrier" WHEN 'B\'6' THEN 1 ELSE CAST(NULL AS BIGINT) END
        WHEN 2
        THEN IFF(
          IFF(
            NOT (
              (
                CAST(DATE_PART('epoch_microsecond', "t4"."built") AS DOUBLE) = CAST('NaN' AS DOUBLE)
              )
              OR CAST(DATE_PART('epoch_microsecond', "t4"."built") AS DOUBLE) IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
            ),
            CAST(DATE_PART('epoch_microsecond', "t4"."built") AS DOUBLE),
            CAST(NULL AS DOUBLE)
          ) IS NOT NULL,
          IFF(
            IFF(
              NOT (
                (
                  CAST(DATE_PART('epoch_microsecond', "t4"."built") AS DOUBLE) = CAST('NaN' AS DOUBLE)
                )
                OR CAST(DATE_PART('epoch_microsecond', "t4"."built") AS DOUBLE) IN (CAST('Inf' AS DOUBLE), CAST('-Inf' AS DOUBLE))
              ),
              CAST(DATE_PART('epoch_microsecond', "t4"."built") AS DOUBLE),
              CAST(NULL AS DOUBLE)
            ) <= 1000000000000000.0,
            0,
            1
          ),
          CAST(NULL AS BIGINT)
        )
        WHEN 3
        THEN CAST(FLOOR((
          DATE_PART('epoch_microsecond', "t4"."timestamp")
        ) / (
          3600000000
        )) AS BIGINT) % 24
        ELSE NULL
      END AS "wk_cell"
    FROM (
      SELECT
        "t0"."timestamp",
        "t0"."distance",
        "t0"."carrier",
        "t0"."built",
        "t0"."y_pred",
        "t0"."y_true",
        CAST(FLOOR((
          DATE_PART('epoch_microsecond', "t0"."timestamp")
        ) / (
          3600000000
        )) AS BIGINT) AS "tile"
      FROM "logged" AS "t0"
    ) AS "t4"
    CROSS JOIN (
      SELECT
        CAST(NULLIF(IFF(_u.pos = _u_2.pos_2, _u_2."wk_part", NULL), '') AS TINYINT) AS "wk_part"
      FROM TABLE(FLATTEN(INPUT => ARRAY_GENERATE_RANGE(
        0,
        (
          GREATEST(
            ARRAY_SIZE(
              SPLIT(
                ARRAY_TO_STRING(NULLIF([0, 1, 2, 3], []), 'drawn'),
                'drawn'
              )
            )
          ) - 1
        ) + 1
      ))) AS _u(seq, key, path, index, pos, this)
      CROSS JOIN TABLE(FLATTEN(INPUT => SPLIT(
        ARRAY_TO_STRING(NULLIF([0, 1, 2, 3], []), 'drawn'),
        'drawn'
      ))) AS _u_2(seq, key, path, pos_2, "wk_part", this)
      WHERE
        _u.pos = _u_2.pos_2
        OR (
          _u.pos > (
            ARRAY_SIZE(
              SPLIT(
                ARRAY_TO_STRING(NULLIF([0, 1, 2, 3], []), 'drawn'),
                'drawn'
              )
            ) - 1
          )
          AND _u_2.pos_2 = (
            ARRAY_SIZE(
              SPLIT(
                ARRAY_TO_STRING(NULLIF([0, 1, 2, 3], []), 'drawn'),
                'drawn'
              )
            ) - 1
          )
        )
    ) AS "t2"
  ) AS "t5"
  WHERE
    "t5"."wk_cell" IS NOT NULL
) AS "t6"
GROUP BY
  1,
  2,
  3
-- different
SELECT
  "t2"."tile",
  COUNT(*) AS "wk_rows"
FROM (
  SELECT DISTINCT
    "t1"."tile",
    "t1"."carrier" AS "wk_0",
    "t1"."distance" AS "wk_1",
    "t1"."built" AS "wk_2"
  FROM (
    SELECT
      "t0"."timestamp",
      "t0"."distance",
      "t0"."carrier",
      "t0"."built",
      "t0"."y_pred",
      "t0"."y_true",
      CAST(FLOOR((
        DATE_PART('epoch_microsecond', "t0"."timestamp")
      ) / (
        3600000000
      )) AS BIGINT) AS "tile"
    FROM "logged" AS "t0"
  ) AS "t1"
) AS "t2"
GROUP BY
  1
