// SPDX-License-Identifier: AGPL-3.0-or-later
// The "Workflow" tab of the Informations panel. What it shows comes from Parapheur, through the host's proxy.
(() => {
	'use strict'

	const APPS = `${window._oc_webroot ?? window.OC?.webroot ?? ''}/index.php/apps/app_api`
	const BASE = `${APPS}/proxy/parapheur/`
	const WIZARD = `${APPS}/embedded/parapheur/workflow/new`
	const FRENCH = (document.documentElement.lang || '').startsWith('fr')
	const NAME = FRENCH ? 'Flux de travail' : 'Workflow'
	const TAB_NAME = FRENCH ? 'Flux' : 'Workflow' // a tab has room for one word
	const OUT = FRENCH ? 'Les flux de travail ne répondent pas pour le moment.' : 'Workflows do not answer at the moment.'
	const ICON = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="20" height="20"><g fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"><circle cx="5" cy="6" r="2.2"/><circle cx="19" cy="18" r="2.2"/><path d="M7.2 6h6.3a3 3 0 0 1 0 6h-3a3 3 0 0 0 0 6h6.3"/></g></svg>'
	const ID = 'parapheur'
	const TAG = 'parapheur-tab'

	let script
	/** Once; again after a failure, when the tab is next shown. */
	const load = () => (script ??= new Promise((resolve, reject) => {
		const element = document.createElement('script')
		element.src = `${BASE}js/main.js`
		element.onload = resolve
		element.onerror = () => {
			element.remove()
			script = undefined
			reject(new Error('parapheur'))
		}
		document.head.append(element)
	}))

	const show = (holder, fileId) => {
		let panel = holder.querySelector('parapheur-panel')
		if (!panel) {
			panel = document.createElement('parapheur-panel')
			panel.setAttribute('base', BASE)
			panel.setAttribute('wizard', WIZARD)
			holder.replaceChildren(panel)
		}
		panel.setAttribute('file-id', String(fileId))
		load().catch(() => {
			holder.textContent = OUT
		})
	}

	/** Nextcloud 32. */
	const registerTab = () => {
		let holder
		const put = (file) => show(holder, file.id)
		window.OCA.Files.Sidebar.registerTab(new window.OCA.Files.Sidebar.Tab({
			id: ID,
			name: TAB_NAME,
			iconSvg: ICON,
			mount(element, file) {
				holder = element
				put(file)
			},
			update: put,
			destroy: () => holder?.replaceChildren(),
			enabled: (file) => !!file && file.type !== 'dir' && file.type !== 'folder',
		}))
	}

	/** Nextcloud 33 and newer: what its own package for apps writes. */
	const addTab = () => {
		const scope = (window._nc_files_scope ??= {})
		const files = (scope.v4_0 ??= {})
		const tabs = (files.filesSidebarTabs ??= new Map())
		tabs.set(ID, {
			id: ID,
			displayName: TAB_NAME,
			iconSvgInline: ICON,
			order: 20,
			tagName: TAG,
			enabled: ({ node }) => node?.type === 'file',
			onInit: async () => {
				if (!window.customElements.get(TAG)) window.customElements.define(TAG, Tab)
			},
		})
	}

	/** One element for all files: the host sets its properties, before it is in the page and again later. */
	class Tab extends HTMLElement {
		#node
		#active = false

		set node(node) {
			this.#node = node
			this.#put()
		}

		get node() {
			return this.#node
		}

		set active(active) {
			this.#active = active
			this.#put()
		}

		get active() {
			return this.#active
		}

		connectedCallback() {
			this.#put()
		}

		#put() {
			const fileId = this.#node?.fileid ?? this.#node?.id
			if (this.isConnected && this.#active && fileId) show(this, fileId)
		}
	}

	let registered = false
	const register = () => {
		if (registered) return
		registered = true
		if (FRENCH) ((window._oc_l10n_registry_translations ??= {}).parapheur ??= {}).Workflow ??= NAME // of the menu's entry
		if (window.OCA?.Files?.Sidebar?.registerTab) registerTab()
		else addTab()
	}
	window.addEventListener('DOMContentLoaded', register)
	window.addEventListener('load', register)
})()
