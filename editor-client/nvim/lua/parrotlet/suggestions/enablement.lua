--- Whether suggestions are enabled in a buffer, and if not, why.
---
--- Suggestions can be turned off everywhere, for a language, a workspace or a file; any of these
--- suffices. Decisions for workspaces are stored (`parrotlet.settings.workspace`), all others last
--- until Neovim exits. The variables `vim.g.parrotlet_enabled` and `vim.b.parrotlet_enabled` hold
--- the decisions for everywhere and for a file.
local config = require('parrotlet.config')
local unnamed_buffer = require('parrotlet.server.unnamed_buffer')
local workspace = require('parrotlet.settings.workspace')

local M = {}

---@alias parrotlet.Scope 'everywhere'|'language'|'workspace'|'file'

---@type parrotlet.Scope[]
M.SCOPES = { 'everywhere', 'language', 'workspace', 'file' }

--- The `User` event for every change.
M.EVENT = 'ParrotletEnablementChanged'

local MINUTE_MS = 60 * 1000

--- Decisions for languages, by filetype.
---@type table<string, boolean>
local languages = {}

---@type uv.uv_timer_t?
local snooze_timer
local snoozed_until ---@type string?

--- Compiled globs; false for invalid ones.
---@type table<string, vim.lpeg.Pattern|false>
local patterns = {}

--- Checks whether a glob matches a file's name, its path in the workspace, or its whole path.
---@param glob string
---@param bufnr integer
---@param name string The buffer's.
local function matches(glob, bufnr, name)
  if patterns[glob] == nil then
    local is_valid, pattern = pcall(vim.glob.to_lpeg, glob)
    patterns[glob] = is_valid and pattern or false
  end
  local pattern = patterns[glob]
  if not pattern then
    return false
  end
  local path = vim.fs.normalize(name)
  local relative_path = vim.fs.relpath(workspace.find_root(bufnr), vim.uv.fs_realpath(path) or path)
  return pattern:match(vim.fs.basename(path)) ~= nil
    or pattern:match(path) ~= nil
    or (relative_path ~= nil and pattern:match(relative_path) ~= nil)
end

---@param bufnr integer
---@return string?
local function find_excluding_glob(bufnr)
  local name = vim.api.nvim_buf_get_name(bufnr)
  return vim.iter(config.options.excluded_files):find(function(glob)
    return name ~= '' and matches(glob, bufnr, name)
  end)
end

--- Returns the decision that a variable holds, nil for none. Vimscript has 0 and 1, too.
---@param value any
---@return boolean?
local function to_decision(value)
  if type(value) == 'number' then
    return value ~= 0
  end
  return value
end

--- Functions that return the decision of each scope; nil for none.
---@type table<parrotlet.Scope, fun(bufnr: integer): boolean?>
local get_decision = {
  everywhere = function()
    return to_decision(vim.g.parrotlet_enabled)
  end,
  language = function(bufnr)
    return languages[vim.bo[bufnr].filetype]
  end,
  workspace = workspace.get_decision,
  file = function(bufnr)
    return to_decision(vim.b[bufnr].parrotlet_enabled)
  end,
}

---@type table<parrotlet.Scope, string>
local disabled_reasons = {
  everywhere = 'off (:Parrotlet enable)',
  language = 'off for this language (:Parrotlet enable language)',
  workspace = 'off in this workspace (:Parrotlet enable workspace)',
  file = 'off in this file (:Parrotlet enable file)',
}

--- Returns why a buffer has no suggestions, not even on request; nil if it has.
---@param bufnr integer
---@return string?
function M.get_disabled_reason(bufnr)
  local options = config.options
  if not options then
    return 'off: setup() was given a wrong option (:Parrotlet messages)'
  end
  local filetype = vim.bo[bufnr].filetype
  if not vim.list_contains(options.languages, filetype) then
    local kind = filetype ~= '' and ('"%s" files'):format(filetype) or 'files without a filetype'
    return ('off for %s (option: languages)'):format(kind)
  end
  local glob = find_excluding_glob(bufnr)
  if glob then
    return ('off for files matching "%s" (option: excluded_files)'):format(glob)
  end
  if unnamed_buffer.is_excluded(bufnr) then
    return 'off: give the file a name first'
  end
  local is_enabled = options.enabled
  for _, scope in ipairs(M.SCOPES) do
    local decision = get_decision[scope](bufnr)
    if decision == false then
      return disabled_reasons[scope]
    end
    is_enabled = is_enabled or decision == true
  end
  if not is_enabled then
    return 'off by default (:Parrotlet enable)'
  end
end

--- Returns why a buffer has no automatic suggestions, other than by the option `automatic`.
---@param bufnr integer
---@return string?
function M.get_pause_reason(bufnr)
  local snoozed = snooze_timer and ('snoozed until %s (:Parrotlet enable)'):format(snoozed_until)
  return M.get_disabled_reason(bufnr) or snoozed or nil
end

--- Checks whether suggestions are requested automatically while the user types in a buffer.
---@param bufnr integer
---@return boolean
function M.is_automatic(bufnr)
  return config.options ~= nil and config.options.automatic and M.get_pause_reason(bufnr) == nil
end

local function announce()
  vim.api.nvim_exec_autocmds('User', { pattern = M.EVENT, modeline = false })
end

--- Turns suggestions on or off. Turning them on ends a snooze.
---@param is_enabled boolean
---@param scope? parrotlet.Scope
---@param bufnr? integer Whose language, workspace or file; the current one by default.
---@return string? err
function M.set_enabled(is_enabled, scope, bufnr)
  scope = scope or 'everywhere'
  bufnr = (bufnr == nil or bufnr == 0) and vim.api.nvim_get_current_buf() or bufnr
  local err
  if scope == 'everywhere' then
    vim.g.parrotlet_enabled = is_enabled
  elseif scope == 'language' then
    languages[vim.bo[bufnr].filetype] = is_enabled
  elseif scope == 'workspace' then
    err = workspace.set_decision(bufnr, is_enabled)
  else
    vim.b[bufnr].parrotlet_enabled = is_enabled
  end
  if is_enabled then
    M.end_snooze()
  end
  announce()
  return err
end

--- Pauses automatic suggestions for some minutes; 0 ends the pause.
---@param minutes number
function M.snooze(minutes)
  M.end_snooze()
  if minutes > 0 then
    snoozed_until = os.date('%H:%M', os.time() + math.ceil(minutes * 60)) --[[@as string]]
    snooze_timer = vim.defer_fn(function()
      M.end_snooze()
      announce()
    end, math.ceil(minutes * MINUTE_MS))
  end
  announce()
end

function M.end_snooze()
  if snooze_timer then
    snooze_timer:stop()
    if not snooze_timer:is_closing() then
      snooze_timer:close()
    end
    snooze_timer = nil
  end
end

return M
