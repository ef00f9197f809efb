//! What is broken, clause by clause; each breach has a test, named after what it does.

/// Makes an enum of the breaches of a suite, and tests: each breach is found, and no clause is without one. After `also`
/// come the other clauses whose tests meet the breach: all that are not named pass.
macro_rules! breaches {
    (
        $breach:ident of $clauses:path, in $make:path;
        $($clause:ident { $($test:ident = $name:ident $(, also $($also:ident),+)?;)+ })+
    ) => {
        /// A clause broken on purpose; the tests say how.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $breach { $($($name),+),+ }

        #[tokio::test]
        async fn without_a_breach_every_clause_passes() {
            let failures = $crate::verdict::failures($clauses, || $make(None)).await;
            assert!(failures.is_empty(), "{failures:#?}");
        }

        #[test]
        fn every_clause_has_its_breach() {
            let clauses: Vec<&str> = $clauses.iter().map(|clause| clause.name).collect();
            assert_eq!(clauses, [$(stringify!($clause)),+]);
        }

        $($(
            #[tokio::test]
            async fn $test() {
                let failures = $crate::verdict::failures($clauses, || $make(Some($breach::$name))).await;
                $crate::verdict::assert_found(&failures, stringify!($clause), &[$($(stringify!($also)),+)?]);
            }
        )+)+
    };
}

pub(crate) use breaches;
