-- sums
SELECT
  `t1`.`tile`,
  COUNT(*) AS `n`,
  COUNT(`t1`.`distance`) AS `c0_present`,
  SUM(CAST(IS_NAN(`t1`.`distance`) AS INT64)) AS `c0_nan`,
  SUM(
    IF(
      NOT (
        IS_NAN(`t1`.`distance`) OR IS_INF(`t1`.`distance`)
      ),
      `t1`.`distance`,
      CAST(NULL AS FLOAT64)
    )
  ) AS `c0_total`,
  SUM(
    IF(
      NOT (
        IS_NAN(`t1`.`distance`) OR IS_INF(`t1`.`distance`)
      ),
      `t1`.`distance`,
      CAST(NULL AS FLOAT64)
    ) * IF(
      NOT (
        IS_NAN(`t1`.`distance`) OR IS_INF(`t1`.`distance`)
      ),
      `t1`.`distance`,
      CAST(NULL AS FLOAT64)
    )
  ) AS `c0_squares`,
  MIN(
    IF(
      NOT (
        IS_NAN(`t1`.`distance`) OR IS_INF(`t1`.`distance`)
      ),
      `t1`.`distance`,
      CAST(NULL AS FLOAT64)
    )
  ) AS `c0_minimum`,
  MAX(
    IF(
      NOT (
        IS_NAN(`t1`.`distance`) OR IS_INF(`t1`.`distance`)
      ),
      `t1`.`distance`,
      CAST(NULL AS FLOAT64)
    )
  ) AS `c0_maximum`,
  SUM(
    CAST(ABS(
      (
        IF(
          NOT (
            IS_NAN(`t1`.`distance`) OR IS_INF(`t1`.`distance`)
          ),
          `t1`.`distance`,
          CAST(NULL AS FLOAT64)
        ) * 10.0
      ) - ROUND(
        IF(
          NOT (
            IS_NAN(`t1`.`distance`) OR IS_INF(`t1`.`distance`)
          ),
          `t1`.`distance`,
          CAST(NULL AS FLOAT64)
        ) * 10.0
      )
    ) <= 1.00000017985613e-06 AS INT64)
  ) AS `c0_coarse`,
  SUM(
    CAST(ABS(
      (
        IF(
          NOT (
            IS_NAN(`t1`.`distance`) OR IS_INF(`t1`.`distance`)
          ),
          `t1`.`distance`,
          CAST(NULL AS FLOAT64)
        ) * 100.0
      ) - ROUND(
        IF(
          NOT (
            IS_NAN(`t1`.`distance`) OR IS_INF(`t1`.`distance`)
          ),
          `t1`.`distance`,
          CAST(NULL AS FLOAT64)
        ) * 100.0
      )
    ) <= 1.0000017985612998e-06 AS INT64)
  ) AS `c0_usual`,
  COUNT(`t1`.`carrier`) AS `c1_present`,
  SUM(CAST(`t1`.`carrier` = '' AS INT64)) AS `c1_empty`,
  COUNT(CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64)) AS `c2_present`,
  SUM(CAST(IS_NAN(CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64)) AS INT64)) AS `c2_nan`,
  SUM(
    IF(
      NOT (
        IS_NAN(CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64))
        OR IS_INF(CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64))
      ),
      CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64),
      CAST(NULL AS FLOAT64)
    )
  ) AS `c2_total`,
  SUM(
    IF(
      NOT (
        IS_NAN(CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64))
        OR IS_INF(CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64))
      ),
      CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64),
      CAST(NULL AS FLOAT64)
    ) * IF(
      NOT (
        IS_NAN(CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64))
        OR IS_INF(CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64))
      ),
      CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64),
      CAST(NULL AS FLOAT64)
    )
  ) AS `c2_squares`,
  MIN(
    IF(
      NOT (
        IS_NAN(CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64))
        OR IS_INF(CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64))
      ),
      CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64),
      CAST(NULL AS FLOAT64)
    )
  ) AS `c2_minimum`,
  MAX(
    IF(
      NOT (
        IS_NAN(CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64))
        OR IS_INF(CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64))
      ),
      CAST(UNIX_MICROS(`t1`.`built`) AS FLOAT64),
      CAST(NULL AS FLOAT64)
    )
  ) AS `c2_maximum`,
  COUNT(ABS(`t1`.`y_true` - `t1`.`y_pred`)) AS `o_rows`,
  SUM(ABS(`t1`.`y_true` - `t1`.`y_pred`)) AS `o_absolute`,
  SUM(ABS(`t1`.`y_true` - `t1`.`y_pred`) * ABS(`t1`.`y_true` - `t1`.`y_pred`)) AS `o_squared`,
  SUM(
    ABS(`t1`.`y_true` - `t1`.`y_pred`) * ABS(`t1`.`y_true` - `t1`.`y_pred`) * (
      ABS(`t1`.`y_true` - `t1`.`y_pred`) * ABS(`t1`.`y_true` - `t1`.`y_pred`)
    )
  ) AS `o_fourth`,
  SUM(
    ieee_divide(
      ABS(`t1`.`y_true` - `t1`.`y_pred`),
      GREATEST(ABS(`t1`.`y_true`), 2.220446049250313e-16)
    )
  ) AS `o_relative`,
  SUM(
    ieee_divide(
      ABS(`t1`.`y_true` - `t1`.`y_pred`),
      GREATEST(ABS(`t1`.`y_true`), 2.220446049250313e-16)
    ) * ieee_divide(
      ABS(`t1`.`y_true` - `t1`.`y_pred`),
      GREATEST(ABS(`t1`.`y_true`), 2.220446049250313e-16)
    )
  ) AS `o_relative_squared`,
  SUM(IF(ABS(`t1`.`y_true` - `t1`.`y_pred`) IS NOT NULL, `t1`.`y_true`, NULL)) AS `o_label`,
  SUM(
    IF(ABS(`t1`.`y_true` - `t1`.`y_pred`) IS NOT NULL, `t1`.`y_true` * `t1`.`y_true`, NULL)
  ) AS `o_label_squared`
FROM (
  SELECT
    `t0`.`timestamp`,
    `t0`.`distance`,
    `t0`.`carrier`,
    `t0`.`built`,
    `t0`.`y_pred`,
    `t0`.`y_true`,
    CAST(FLOOR(ieee_divide(UNIX_MICROS(`t0`.`timestamp`), 3600000000)) AS INT64) AS `tile`
  FROM `logged` AS `t0`
) AS `t1`
GROUP BY
  1
-- cells
SELECT
  `t6`.`tile`,
  `t6`.`wk_part`,
  `t6`.`wk_cell`,
  COUNT(*) AS `wk_rows`
FROM (
  SELECT
    *
  FROM (
    SELECT
      `t4`.`tile`,
      `t2`.`wk_part`,
      CASE `t2`.`wk_part`
        WHEN 0
        THEN IF(
          IF(
            NOT (
              IS_NAN(`t4`.`distance`) OR IS_INF(`t4`.`distance`)
            ),
            `t4`.`distance`,
            CAST(NULL AS FLOAT64)
          ) IS NOT NULL,
          IF(
            IF(
              NOT (
                IS_NAN(`t4`.`distance`) OR IS_INF(`t4`.`distance`)
              ),
              `t4`.`distance`,
              CAST(NULL AS FLOAT64)
            ) <= 1.4999999999999998,
            IF(
              IF(
                NOT (
                  IS_NAN(`t4`.`distance`) OR IS_INF(`t4`.`distance`)
                ),
                `t4`.`distance`,
                CAST(NULL AS FLOAT64)
              ) <= -5E-324,
              IF(
                IF(
                  NOT (
                    IS_NAN(`t4`.`distance`) OR IS_INF(`t4`.`distance`)
                  ),
                  `t4`.`distance`,
                  CAST(NULL AS FLOAT64)
                ) <= -17.250000000000004,
                IF(
                  IF(
                    NOT (
                      IS_NAN(`t4`.`distance`) OR IS_INF(`t4`.`distance`)
                    ),
                    `t4`.`distance`,
                    CAST(NULL AS FLOAT64)
                  ) <= -54.75000000000001,
                  0,
                  1
                ),
                2
              ),
              IF(
                IF(
                  NOT (
                    IS_NAN(`t4`.`distance`) OR IS_INF(`t4`.`distance`)
                  ),
                  `t4`.`distance`,
                  CAST(NULL AS FLOAT64)
                ) <= 0.0,
                3,
                4
              )
            ),
            IF(
              IF(
                NOT (
                  IS_NAN(`t4`.`distance`) OR IS_INF(`t4`.`distance`)
                ),
                `t4`.`distance`,
                CAST(NULL AS FLOAT64)
              ) <= 39.0,
              IF(
                IF(
                  NOT (
                    IS_NAN(`t4`.`distance`) OR IS_INF(`t4`.`distance`)
                  ),
                  `t4`.`distance`,
                  CAST(NULL AS FLOAT64)
                ) <= 20.25,
                IF(
                  IF(
                    NOT (
                      IS_NAN(`t4`.`distance`) OR IS_INF(`t4`.`distance`)
                    ),
                    `t4`.`distance`,
                    CAST(NULL AS FLOAT64)
                  ) <= 10.0,
                  5,
                  6
                ),
                7
              ),
              IF(
                IF(
                  NOT (
                    IS_NAN(`t4`.`distance`) OR IS_INF(`t4`.`distance`)
                  ),
                  `t4`.`distance`,
                  CAST(NULL AS FLOAT64)
                ) <= 76.5,
                8,
                9
              )
            )
          ),
          CAST(NULL AS INT64)
        )
        WHEN 1
        THEN CASE `t4`.`carrier` WHEN 'B\'6' THEN 1 ELSE CAST(NULL AS INT64) END
        WHEN 2
        THEN IF(
          IF(
            NOT (
              IS_NAN(CAST(UNIX_MICROS(`t4`.`built`) AS FLOAT64))
              OR IS_INF(CAST(UNIX_MICROS(`t4`.`built`) AS FLOAT64))
            ),
            CAST(UNIX_MICROS(`t4`.`built`) AS FLOAT64),
            CAST(NULL AS FLOAT64)
          ) IS NOT NULL,
          IF(
            IF(
              NOT (
                IS_NAN(CAST(UNIX_MICROS(`t4`.`built`) AS FLOAT64))
                OR IS_INF(CAST(UNIX_MICROS(`t4`.`built`) AS FLOAT64))
              ),
              CAST(UNIX_MICROS(`t4`.`built`) AS FLOAT64),
              CAST(NULL AS FLOAT64)
            ) <= 1000000000000000.0,
            0,
            1
          ),
          CAST(NULL AS INT64)
        )
        WHEN 3
        THEN MOD(CAST(FLOOR(ieee_divide(UNIX_MICROS(`t4`.`timestamp`), 3600000000)) AS INT64), 24)
        ELSE NULL
      END AS `wk_cell`
    FROM (
      SELECT
        `t0`.`timestamp`,
        `t0`.`distance`,
        `t0`.`carrier`,
        `t0`.`built`,
        `t0`.`y_pred`,
        `t0`.`y_true`,
        CAST(FLOOR(ieee_divide(UNIX_MICROS(`t0`.`timestamp`), 3600000000)) AS INT64) AS `tile`
      FROM `logged` AS `t0`
    ) AS `t4`
    CROSS JOIN (
      SELECT
        IF(pos = pos_2, `wk_part`, NULL) AS `wk_part`
      FROM UNNEST(GENERATE_ARRAY(0, GREATEST(ARRAY_LENGTH([0, 1, 2, 3])) - 1)) AS pos
      CROSS JOIN UNNEST([0, 1, 2, 3]) AS `wk_part` WITH OFFSET AS pos_2
      WHERE
        pos = pos_2
        OR (
          pos > (
            ARRAY_LENGTH([0, 1, 2, 3]) - 1
          )
          AND pos_2 = (
            ARRAY_LENGTH([0, 1, 2, 3]) - 1
          )
        )
    ) AS `t2`
  ) AS `t5`
  WHERE
    `t5`.`wk_cell` IS NOT NULL
) AS `t6`
GROUP BY
  1,
  2,
  3
-- different
SELECT
  `t2`.`tile`,
  COUNT(*) AS `wk_rows`
FROM (
  SELECT DISTINCT
    `t1`.`tile`,
    `t1`.`carrier` AS `wk_0`,
    `t1`.`distance` AS `wk_1`,
    `t1`.`built` AS `wk_2`
  FROM (
    SELECT
      `t0`.`timestamp`,
      `t0`.`distance`,
      `t0`.`carrier`,
      `t0`.`built`,
      `t0`.`y_pred`,
      `t0`.`y_true`,
      CAST(FLOOR(ieee_divide(UNIX_MICROS(`t0`.`timestamp`), 3600000000)) AS INT64) AS `tile`
    FROM `logged` AS `t0`
  ) AS `t1`
) AS `t2`
GROUP BY
  1
