//! The component's functions, found and checked once: to check their types again at the start of
//! each session would cost several times what the start itself does.

use std::marker::PhantomData;

use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Func, Instance, Lift, Lower, ResourceAny,
    TypedFunc,
};
use wasmtime::{Error, Store};

use super::sandbox::Guard;
use super::wit::{
    imap_client, imap_server, mime, pop3_client, pop3_server, smtp_client, smtp_server, types,
};

const PACKAGE: &str = "pillarbox:mail";
/// The version is part of each name: another one is another contract.
const VERSION: &str = "0.1.0";

type IndexTypes<'a> = ((&'a [u8], u64), (Vec<u8>,));
type IndexSmallTypes<'a> = ((&'a [u8],), (Option<Vec<u8>>,));
type TextSpansTypes<'a> = ((&'a [u8], u64), (Vec<mime::Span>,));
type TextsTypes<'a> = ((&'a [u8], u64, &'a [u8]), (Vec<u8>,));
type ConstructorTypes<'a, Config> = ((&'a Config, types::Now), (ResourceAny,));
type StepTypes<'a, Input, Stepped> =
    ((ResourceAny, types::Now, &'a Input), (Result<Stepped, types::Misuse>,));
type FreezeTypes = ((ResourceAny,), (Result<Vec<u8>, types::Misuse>,));
type ThawTypes<'a, Config> =
    ((&'a Config, types::Now, &'a [u8]), (Result<ResourceAny, types::Misuse>,));

/// Where all of them are. It belongs to one component, and is used with its instances alone.
pub(super) struct Entries {
    pub(super) smtp: RoleEntry<smtp_server::Config, smtp_server::Input, smtp_server::Stepped>,
    pub(super) smtp_client:
        RoleEntry<smtp_client::Config, smtp_client::Input, smtp_client::Stepped>,
    pub(super) pop3: RoleEntry<pop3_server::Config, pop3_server::Input, pop3_server::Stepped>,
    pub(super) pop3_client:
        RoleEntry<pop3_client::Config, pop3_client::Input, pop3_client::Stepped>,
    pub(super) imap: RoleEntry<imap_server::Config, imap_server::Input, imap_server::Stepped>,
    pub(super) imap_client:
        RoleEntry<imap_client::Config, imap_client::Input, imap_client::Stepped>,
    index: ComponentExportIndex,
    index_small: ComponentExportIndex,
    text_spans: ComponentExportIndex,
    texts: ComponentExportIndex,
}

/// Where a role's sessions are made, stepped and frozen.
pub(super) struct RoleEntry<Config, Input, Stepped> {
    constructor: ComponentExportIndex,
    step: ComponentExportIndex,
    freeze: ComponentExportIndex,
    thaw: ComponentExportIndex,
    checked: PhantomData<fn(Config, Input) -> Stepped>,
}

/// What steps one session.
pub(super) struct Stepper<Input, Stepped> {
    step: Func,
    session: ResourceAny,
    checked: PhantomData<fn(Input) -> Stepped>,
}

/// Indexes messages whose structure is small.
#[derive(Clone, Copy)]
pub(super) struct SmallIndexer(Func);

impl SmallIndexer {
    pub(super) fn index(
        self,
        store: &mut Store<Guard>,
        octets: &[u8],
    ) -> Result<Option<Vec<u8>>, Error> {
        // SAFETY: `Entries::find` checked these types.
        let index = unsafe { unchecked::<IndexSmallTypes<'_>>(self.0) };
        Ok(index.call(store, (octets,))?.0)
    }
}

impl Entries {
    /// Looks them up in the component, and checks their types in an instance of it.
    pub(super) fn find(
        component: &Component,
        instance: Instance,
        store: &mut Store<Guard>,
    ) -> Result<Self, Error> {
        let index = export(component, "mime", "index")?;
        check::<IndexTypes<'_>>(&index, instance, store)?;
        let index_small = export(component, "mime", "index-small")?;
        check::<IndexSmallTypes<'_>>(&index_small, instance, store)?;
        let text_spans = export(component, "mime", "text-spans")?;
        check::<TextSpansTypes<'_>>(&text_spans, instance, store)?;
        let texts = export(component, "mime", "texts")?;
        check::<TextsTypes<'_>>(&texts, instance, store)?;
        Ok(Self {
            smtp: RoleEntry::find(component, "smtp-server", instance, store)?,
            smtp_client: RoleEntry::find(component, "smtp-client", instance, store)?,
            pop3: RoleEntry::find(component, "pop3-server", instance, store)?,
            pop3_client: RoleEntry::find(component, "pop3-client", instance, store)?,
            imap: RoleEntry::find(component, "imap-server", instance, store)?,
            imap_client: RoleEntry::find(component, "imap-client", instance, store)?,
            index,
            index_small,
            text_spans,
            texts,
        })
    }

    /// Indexes a message in this instance.
    pub(super) fn index(
        &self,
        instance: Instance,
        store: &mut Store<Guard>,
        octets: &[u8],
        total_size: u64,
    ) -> Result<Vec<u8>, Error> {
        let function = function(&self.index, instance, store)?;
        // SAFETY: `find` checked these types.
        let index = unsafe { unchecked::<IndexTypes<'_>>(function) };
        Ok(index.call(store, (octets, total_size))?.0)
    }

    /// Where the texts of a message stand.
    pub(super) fn text_spans(
        &self,
        instance: Instance,
        store: &mut Store<Guard>,
        index: &[u8],
        total_size: u64,
    ) -> Result<Vec<(u64, u64)>, Error> {
        let function = function(&self.text_spans, instance, store)?;
        // SAFETY: `find` checked these types.
        let spans = unsafe { unchecked::<TextSpansTypes<'_>>(function) };
        let (spans,) = spans.call(store, (index, total_size))?;
        Ok(spans.into_iter().map(|span| (span.start, span.end)).collect())
    }

    /// The texts of a message.
    pub(super) fn texts(
        &self,
        instance: Instance,
        store: &mut Store<Guard>,
        index: &[u8],
        total_size: u64,
        octets: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let function = function(&self.texts, instance, store)?;
        // SAFETY: `find` checked these types.
        let texts = unsafe { unchecked::<TextsTypes<'_>>(function) };
        Ok(texts.call(store, (index, total_size, octets))?.0)
    }

    /// What indexes a message in this instance if its structure is small.
    pub(super) fn small_indexer(
        &self,
        instance: Instance,
        store: &mut Store<Guard>,
    ) -> Result<SmallIndexer, Error> {
        Ok(SmallIndexer(function(&self.index_small, instance, store)?))
    }
}

impl<Config, Input, Stepped> RoleEntry<Config, Input, Stepped>
where
    Config: Lower,
    Input: Lower,
    Stepped: Lift + 'static,
{
    fn find(
        component: &Component,
        role: &str,
        instance: Instance,
        store: &mut Store<Guard>,
    ) -> Result<Self, Error> {
        let constructor = export(component, role, "[constructor]session")?;
        let step = export(component, role, "[method]session.step")?;
        check::<ConstructorTypes<'_, Config>>(&constructor, instance, store)?;
        let freeze = export(component, role, "[method]session.freeze")?;
        let thaw = export(component, role, "[static]session.thaw")?;
        check::<StepTypes<'_, Input, Stepped>>(&step, instance, store)?;
        check::<FreezeTypes>(&freeze, instance, store)?;
        check::<ThawTypes<'_, Config>>(&thaw, instance, store)?;
        Ok(Self { constructor, step, freeze, thaw, checked: PhantomData })
    }

    /// Starts a session in this instance.
    pub(super) fn start(
        &self,
        instance: Instance,
        store: &mut Store<Guard>,
        config: &Config,
        now: types::Now,
    ) -> Result<Stepper<Input, Stepped>, Error> {
        let constructor = function(&self.constructor, instance, store)?;
        let step = function(&self.step, instance, store)?;
        // SAFETY: `find` checked these types.
        let constructor = unsafe { unchecked::<ConstructorTypes<'_, Config>>(constructor) };
        let (session,) = constructor.call(store, (config, now))?;
        Ok(Stepper { step, session, checked: PhantomData })
    }

    /// Makes a session go on in this instance that was frozen.
    pub(super) fn thaw(
        &self,
        instance: Instance,
        store: &mut Store<Guard>,
        config: &Config,
        now: types::Now,
        frozen: &[u8],
    ) -> Result<Result<Stepper<Input, Stepped>, types::Misuse>, Error> {
        let thaw = function(&self.thaw, instance, store)?;
        let step = function(&self.step, instance, store)?;
        // SAFETY: `find` checked these types.
        let thaw = unsafe { unchecked::<ThawTypes<'_, Config>>(thaw) };
        let (thawed,) = thaw.call(store, (config, now, frozen))?;
        Ok(thawed.map(|session| Stepper { step, session, checked: PhantomData }))
    }

    /// A session of this instance as octets.
    pub(super) fn freeze(
        &self,
        instance: Instance,
        store: &mut Store<Guard>,
        stepper: &Stepper<Input, Stepped>,
    ) -> Result<Result<Vec<u8>, types::Misuse>, Error> {
        let freeze = function(&self.freeze, instance, store)?;
        // SAFETY: `find` checked these types.
        let freeze = unsafe { unchecked::<FreezeTypes>(freeze) };
        Ok(freeze.call(store, (stepper.session,))?.0)
    }
}

impl<Input: Lower, Stepped: Lift + 'static> Stepper<Input, Stepped> {
    /// One step of the session.
    pub(super) fn step(
        &self,
        store: &mut Store<Guard>,
        now: types::Now,
        input: &Input,
    ) -> Result<Result<Stepped, types::Misuse>, Error> {
        // SAFETY: `RoleEntry::find` checked these types.
        let step = unsafe { unchecked::<StepTypes<'_, Input, Stepped>>(self.step) };
        Ok(step.call(store, (self.session, now, input))?.0)
    }
}

/// A function's parameters and results.
trait Types {
    type Parameters: ComponentNamedList + Lower;
    type Results: ComponentNamedList + Lift;
}

impl<P, R> Types for (P, R)
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    type Parameters = P;
    type Results = R;
}

/// Where a function of an interface is.
pub(super) fn export(
    component: &Component,
    interface: &str,
    function: &str,
) -> Result<ComponentExportIndex, Error> {
    let interface = format!("{PACKAGE}/{interface}@{VERSION}");
    let missing = || Error::msg(format!("the component has no {function} in {interface}"));
    let within = component.get_export_index(None, &interface).ok_or_else(missing)?;
    component.get_export_index(Some(&within), function).ok_or_else(missing)
}

fn check<T: Types>(
    export: &ComponentExportIndex,
    instance: Instance,
    store: &mut Store<Guard>,
) -> Result<(), Error> {
    instance.get_typed_func::<T::Parameters, T::Results>(store, export).map(|_| ())
}

fn function(
    export: &ComponentExportIndex,
    instance: Instance,
    store: &mut Store<Guard>,
) -> Result<Func, Error> {
    let function = instance.get_func(store, export);
    function.ok_or_else(|| Error::msg("an export that was there is gone"))
}

/// # Safety
/// The function has these types.
unsafe fn unchecked<T: Types>(function: Func) -> TypedFunc<T::Parameters, T::Results> {
    // SAFETY: as this function's caller promises.
    unsafe { TypedFunc::new_unchecked(function) }
}
